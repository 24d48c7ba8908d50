cimport cython
from asd.fastpath cimport replies
from asd.fastpath.contract cimport unplain


cdef class GetAll:
    cdef public object _counters, _get, _now_s
    cdef public set _barred
    cdef public Py_ssize_t _set_id

    @cython.locals(barred=set, record=tuple, generation=Py_ssize_t, void_time=Py_ssize_t,
                   record_set=Py_ssize_t, flags=Py_ssize_t, set_id=Py_ssize_t, odd=bint,
                   size=Py_ssize_t)
    cpdef bytes answer(self, bytes data, Py_ssize_t digest)
