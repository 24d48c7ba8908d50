# Types for the compiled twin of bulk.py (`asd --compile`, docs/architecture.md): never behaviour.
# Python itself does not read this file.
cimport cython
from storage cimport direct
from storage.index cimport PrimaryIndex

cdef bint COMPILED

@cython.locals(slot=Py_ssize_t)
cpdef list entries_at(PrimaryIndex index, slots)
cpdef list entries_in_order(PrimaryIndex index, list slots)
