package pyselect

// PIPE_BUF is the number of bytes that can be written to a pipe without blocking when it is reported as writable.
const PIPE_BUF = 5120
