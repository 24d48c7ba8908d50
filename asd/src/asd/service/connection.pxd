cimport cython
from asd.measures.histogram cimport Histogram
from asd.measures.turns cimport Turns

cdef Py_ssize_t BIG_REPLY, MAX_UNSENT


cdef class Connection:
    cdef public list _chunks
    cdef public Py_ssize_t _head_size
    cdef public long long _max_body, _missing, kept_ns, last_used_ns
    cdef public object _awaited, _closing, _held, _job, _node, _path_of, _paused
    cdef public object _transport, _unwritable, _write
    cdef public object _big, _session, address, certificate_user, local_host, paths, peer, rights
    cdef public object user_agent
    cdef public dict _paths
    cdef public Turns _turns

    @cython.locals(turns=Turns, head_size=Py_ssize_t, frame_size=Py_ssize_t, found=tuple,
                   latency=Histogram)
    cpdef data_received(self, bytes data)
    @cython.locals(offset=Py_ssize_t, size=Py_ssize_t, frame_size=Py_ssize_t)
    cpdef _answer(self, bytes data)
    @cython.locals(size=Py_ssize_t, digest=Py_ssize_t, end=Py_ssize_t, head_size=Py_ssize_t,
                   frame_size=Py_ssize_t, found=tuple, latency=Histogram, reply=bytes)
    cpdef Py_ssize_t _answer_fast(self, bytes data, Py_ssize_t offset, list replies) except -1
    @cython.locals(size="long long")
    cpdef Py_ssize_t _whole_frame(self, bytes data, Py_ssize_t offset) except -1
    cpdef _send(self, list replies)
