package sys

var NoPwait2 = &noPwait2
