module github.com/pyselect/pyselect/conformance

go 1.26.0

require github.com/pyselect/pyselect v0.0.0

require golang.org/x/sys v0.49.0

replace github.com/pyselect/pyselect => ../
