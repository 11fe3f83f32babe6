package selectors_test

var kinds = []kind{selectKind, pollKind, devpollKind}
