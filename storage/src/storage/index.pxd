# Types for the compiled twin of index.py (`asd --compile`, docs/architecture.md): never behaviour.
# Python itself does not read this file.
cimport cython


cdef class SetUsage:
    cdef public Py_ssize_t bytes, objects, tombstones


cdef class PrimaryIndex:
    cdef public object arena, _source
    cdef public list tables, sizes, _counts
    cdef public dict recent, sets
    cdef public Py_ssize_t end, tombstones, _free

    @cython.locals(prefix=Py_ssize_t, home=Py_ssize_t, size=Py_ssize_t, at=Py_ssize_t,
                   slot=Py_ssize_t, offset=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes digest) except -1
    @cython.locals(prefix=Py_ssize_t, home=Py_ssize_t, size=Py_ssize_t, at=Py_ssize_t,
                   slot=Py_ssize_t, offset=Py_ssize_t, recent=dict)
    cpdef Py_ssize_t look_up(self, bytes digest) except -1
