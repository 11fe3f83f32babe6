// Package api holds the exported API of the packages, a declaration for each line, and a test that it is complete: a change
// shows in review. After an intended one, go test ./api -update writes the files anew.
package api

import (
	"flag"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files anew")

var systems = []string{
	"aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd", "plan9", "solaris", "wasip1",
	"windows",
}

func TestAPI(t *testing.T) {
	for name, dir := range map[string]string{"pyselect": "..", "selectors": "../selectors", "socket": "../socket", "socketserver": "../socketserver", "ssl": "../ssl"} {
		t.Run(name, func(t *testing.T) {
			got := describe(t, dir)
			if *update {
				check(t, os.WriteFile(name+".txt", []byte(got), 0o666))
			}
			want, err := os.ReadFile(name + ".txt")
			check(t, err)
			missing, added := difference(string(want), got), difference(got, string(want))
			if len(missing)+len(added) > 0 {
				t.Errorf("the API is not that of %s.txt\nmissing:\n\t%s\nadded:\n\t%s", name, strings.Join(missing, "\n\t"), strings.Join(added, "\n\t"))
			}
		})
	}
}

// difference returns the lines of a that are not in b.
func difference(a, b string) []string {
	in := strings.Split(b, "\n")
	return slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(in, line) })
}

// describe returns a line for each declaration, with the systems that have it, if not all of those that have the package do.
func describe(t *testing.T, dir string) string {
	found := map[string][]string{} // declaration to systems
	var all []string
	for _, system := range systems {
		names := declared(t, dir, system)
		if len(names) > 0 {
			all = append(all, system)
		}
		for _, name := range names {
			found[name] = append(found[name], system)
		}
	}
	lines := []string{"on: " + strings.Join(all, " ")}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if on := found[name]; !slices.Equal(on, all) {
			name += " // " + strings.Join(on, " ")
		}
		lines = append(lines, name)
	}
	return strings.Join(lines, "\n") + "\n"
}

// declared returns the exported declarations of a package on a system.
func declared(t *testing.T, dir, system string) (decls []string) {
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = system, "amd64", false
	paths, err := filepath.Glob(dir + "/*.go")
	check(t, err)
	var all []ast.Decl
	for _, path := range paths {
		match, err := context.MatchFile(filepath.Split(path))
		check(t, err)
		if match && !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			check(t, err)
			all = append(all, file.Decls...)
		}
	}
	public := map[string]bool{} // types whose methods are part of the API
	for _, decl := range all {
		if decl, ok := decl.(*ast.GenDecl); ok {
			for _, spec := range decl.Specs {
				decls = append(decls, declaredBy(t, decl.Tok, spec, public)...)
			}
		}
	}
	for _, decl := range all {
		if decl, ok := decl.(*ast.FuncDecl); ok && decl.Name.IsExported() && (decl.Recv == nil || public[typeName(decl.Recv.List[0].Type)]) {
			decl.Body = nil
			decls = append(decls, text(t, decl))
		}
	}
	return decls
}

// declaredBy returns what a specification exports, and adds the types to those that are public.
func declaredBy(t *testing.T, keyword token.Token, spec ast.Spec, public map[string]bool) (decls []string) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		if spec.Names[0].IsExported() {
			decls = append(decls, keyword.String()+" "+text(t, spec))
		}
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			break
		}
		public[spec.Name.Name] = true
		var members *ast.FieldList
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			members, typ.Fields = typ.Fields, new(ast.FieldList)
		case *ast.InterfaceType:
			members, typ.Methods = typ.Methods, new(ast.FieldList)
		}
		decls = append(decls, "type "+text(t, spec))
		if members == nil {
			break
		}
		for _, m := range members.List {
			switch {
			case len(m.Names) == 0: // it is embedded, and so are its methods
				public[typeName(m.Type)] = true
				decls = append(decls, spec.Name.Name+"."+text(t, m.Type))
			default:
				for _, name := range m.Names {
					if name.IsExported() {
						decls = append(decls, spec.Name.Name+"."+name.Name+strings.TrimPrefix(" "+text(t, m.Type), " func"))
					}
				}
			}
		}
	}
	return decls
}

// typeName returns the name of a type of this package or of a pointer to one.
func typeName(typ ast.Expr) string {
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if name, ok := typ.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// text returns what is written in a source in one line.
func text(t *testing.T, node ast.Node) string {
	var b strings.Builder
	check(t, printer.Fprint(&b, token.NewFileSet(), node))
	return strings.Join(strings.Fields(b.String()), " ")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
