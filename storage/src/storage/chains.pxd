# Types for the compiled twin of chains.py (`asd --compile`, docs/architecture.md): never behaviour.
# Python itself does not read this file.
cimport cython

cdef object _links_at, _pack_links, _pack_slot


cdef class Chains:
    cdef public object first

    @cython.locals(following=Py_ssize_t)
    cpdef add(self, arena, Py_ssize_t slot, Py_ssize_t block)
    @cython.locals(following=Py_ssize_t, previous=Py_ssize_t)
    cpdef remove(self, arena, Py_ssize_t slot, Py_ssize_t block)
