cimport cython
from asd.fastpath cimport replies
from asd.measures.histogram cimport Histogram

cdef Py_ssize_t DIGEST_SIZE, OP_HEAD_SIZE


cdef class OneBinWrite:
    cdef public object _commit, _get, _put, overwrite, set_id

    cpdef put(self, bytes digest, now_ms, head, bytes payload)


cdef class PutOne:
    cdef public object _counters, _now_ms, _otherwise, _overwrite, _put
    cdef public Histogram _latency
    cdef public Py_ssize_t _rest, _set_id
    cdef public dict _heads
    cdef public set _barred

    @cython.locals(barred=set, op=Py_ssize_t, value=Py_ssize_t, wire=bytes, key=bytes, start=bytes,
                   payload=bytes, latency=Histogram, since="long long", now="long long",
                   generation=Py_ssize_t)
    cpdef bytes answer(self, bytes data, Py_ssize_t digest)
