//go:build netbsd || openbsd

package pyselect

var kqUserFilterNames []kqFilterName
