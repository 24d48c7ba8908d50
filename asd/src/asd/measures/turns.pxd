cimport cython
from asd.measures.histogram cimport Histogram


cdef class Turns:
    cdef public object _call_soon, _now_ns, suspected
    cdef public long long longest_ns, number, started_ns, suspect_ns
    cdef public list answered

    cpdef long long begin(self) except? -1
    @cython.locals(histogram=Histogram)
    cpdef _settle(self)
