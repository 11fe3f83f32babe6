package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	mdCode    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor  = regexp.MustCompile(`[^\w -]`)
)

// Each link of a page leads to a file, and to a heading in it.
func TestLinks(t *testing.T) {
	for _, page := range slices.Concat(glob(t, "*.md"), glob(t, "../*.md")) {
		for _, link := range mdLink.FindAllStringSubmatch(mdCode.ReplaceAllString(read(t, page), ""), -1) {
			path, anchor, _ := strings.Cut(link[1], "#")
			target := filepath.Join(filepath.Dir(page), path)
			if path == "" {
				target = page
			}
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: there is no heading for %s", page, link[1])
			}
		}
	}
}

func anchors(page string) (all []string) {
	for _, heading := range mdHeading.FindAllStringSubmatch(page, -1) {
		all = append(all, strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-"))
	}
	return all
}
