cdef bytes _HEADER_OK, _NOT_FOUND, _NO_OPS, _START
cdef object _with_bins
