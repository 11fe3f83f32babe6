//go:build linux

package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func samples(values ...float64) (s []sample) {
	for _, v := range values {
		s = append(s, sample{value: v})
	}
	return s
}

func TestMedian(t *testing.T) {
	if got := median(samples(9, 1, 4), value); got != 4 {
		t.Errorf("median of 9, 1, 4 is %v", got)
	}
	if got := median(samples(9, 1, 4, 2), value); got != 3 {
		t.Errorf("median of 9, 1, 4, 2 is %v", got)
	}
	if got := ratio(samples(1, 20, 300), samples(2, 10, 100)); got != 2 {
		t.Errorf("median of 1/2, 20/10, 300/100 is %v", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 0.5: "0.50", 7.126: "7.13", 42.26: "42.3", 999.6: "1,000", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) is %s, want %s", v, got, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	limits := []limit{{xsys, 0.9}, {cpython, 1. / 3}, {allocations, 1}}
	for _, test := range []struct {
		measured map[impl]float64
		want     string
	}{
		{map[impl]float64{xsys: 0.9, cpython: 0.2, allocations: 1}, "met"},
		{map[impl]float64{xsys: 1, cpython: 0.2, allocations: 2}, "**not met**: x/sys, allocations"},
	} {
		got := judge(limits, test.measured).cells()
		if got[0] != "≤ 0.90 x/sys, ≤ 1/3 CPython, allocations ≤ 1" || got[1] != test.want {
			t.Errorf("verdict is %q, want %q", got, test.want)
		}
	}
}

func TestPlotIsXML(t *testing.T) {
	svg := plot([]int{1, 10, 100}, []curve{{name: "a", by: here, values: []float64{1, 10, 100}}, {name: "b", by: cpython, values: []float64{30}}})
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
