//go:build linux

package main

import (
	"fmt"
	"math"
	"strings"
)

const plotName = "waits.svg"

// A curve is what a wait costs with more and more descriptors.
type curve struct {
	name   string
	by     impl
	work   string
	color  string
	limit  int // of descriptors
	values []float64
}

// measureWaits plots the cost of a wait against the number of descriptors, of which one is ready.
func (b *bench) measureWaits(report *strings.Builder) (svg string, err error) {
	counts := []int{1, 3, 10, 30, 100, 300, 1000, 3000, 10_000}
	const unlimited = math.MaxInt
	curves := []curve{
		{name: "Select", by: here, work: "select", color: "#d9822b", limit: unlimited},
		{name: "select.select in CPython", by: cpython, work: "select", color: "#d9822b", limit: 1000},
		{name: "Poll", by: here, work: "poll", color: "#3f8fd2", limit: unlimited},
		{name: "select.poll in CPython", by: cpython, work: "poll", color: "#3f8fd2", limit: unlimited},
		{name: "Epoll", by: here, work: "epoll", color: "#3aa76d", limit: unlimited},
		{name: "select.epoll in CPython", by: cpython, work: "epoll", color: "#3aa76d", limit: unlimited},
	}
	if b.quick {
		counts = []int{1, 10, 100}
	}
	if !b.starts("Plot of the waits") {
		return "", nil
	}
	few := *b
	few.rounds = min(b.rounds, 5)
	for _, n := range counts {
		var contestants []contestant
		var of []*curve
		for i := range curves {
			if c := &curves[i]; n <= c.limit {
				contestants = append(contestants, contestant{c.by, c.work, shape{n, 1}})
				of = append(of, c)
			}
		}
		samples, err := few.compare(contestants...)
		if err != nil {
			return "", err
		}
		for i, c := range of {
			c.values = append(c.values, median(samples[i], value))
		}
	}
	fmt.Fprintf(report, "## Growth\n\n![The cost of a wait against the number of descriptors](%s)\n\n"+
		"In CPython, poll and select gain from its having one thread, as said above.\n", plotName)
	return plot(counts, curves), nil
}

// plot draws the curves, dashed for CPython, with logarithmic axes. Its colours suit a light and a dark background.
func plot(counts []int, curves []curve) string {
	const width, height, left, right, top, bottom = 780, 470, 90, 30, 30, 100
	least, most := math.Inf(1), 0.0
	for _, c := range curves {
		for _, v := range c.values {
			least, most = min(least, v), max(most, v)
		}
	}
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	last := math.Log10(float64(counts[len(counts)-1]))
	x := func(n float64) float64 { return left + math.Log10(n)/last*(width-left-right) }
	y := func(ns float64) float64 { return height - bottom - (math.Log10(ns)-low)/(high-low)*(height-top-bottom) }

	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="#808080">
<text x="%d" y="18">nanoseconds of a wait with a timeout of 0, one descriptor ready</text>
`, width, height, left)
	grid := func(x1, y1, x2, y2 float64) {
		fmt.Fprintf(&svg, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#808080" stroke-opacity="0.35"/>`+"\n", x1, y1, x2, y2)
	}
	for e := low; e <= high; e++ {
		ns := math.Pow(10, e)
		grid(left, y(ns), width-right, y(ns))
		fmt.Fprintf(&svg, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-8, y(ns)+4, count(int(ns)))
	}
	for e := 0.0; e <= last; e++ {
		n := math.Pow(10, e)
		grid(x(n), top, x(n), height-bottom)
		fmt.Fprintf(&svg, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(n), height-bottom+18, count(int(n)))
	}
	fmt.Fprintf(&svg, `<text x="%d" y="%d" text-anchor="middle">descriptors watched</text>`+"\n", (left+width-right)/2, height-bottom+38)

	for i, c := range curves {
		style := fmt.Sprintf(`fill="none" stroke="%s" stroke-width="2"`, c.color)
		if c.by == cpython {
			style += ` stroke-dasharray="6 4"`
		}
		var points []string
		for j, v := range c.values {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(float64(counts[j])), y(v)))
		}
		fmt.Fprintf(&svg, `<polyline points="%s" %s/>`+"\n", strings.Join(points, " "), style)

		// The legend has a column for each facility.
		lx, ly := left+i/2*(width-left-right)/3, height-34+i%2*20
		fmt.Fprintf(&svg, `<path d="M%d %dh28" %s/><text x="%d" y="%d">%s</text>`+"\n", lx, ly-4, style, lx+36, ly, c.name)
	}
	svg.WriteString("</svg>\n")
	return svg.String()
}
