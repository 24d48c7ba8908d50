cimport cython
from storage.index cimport PrimaryIndex

cdef object _fields_at, _pack_meta, _pack_meta_into


cdef class MemoryEngine:
    cdef public Py_ssize_t _block_size, _cursor, _debt, _moved
    cdef public object _blocks, _data, _data_size, _defrag_lwm_pct, _metadata
    cdef public bint acknowledges_sync
    cdef public PrimaryIndex index
    cdef public dict set_names

    @cython.locals(index=PrimaryIndex)
    cpdef get(self, bytes digest)
    @cython.locals(index=PrimaryIndex)
    cpdef put(self, bytes digest, generation, void_time, last_update_time, set_id, flags,
              payload)
    @cython.locals(index=PrimaryIndex)
    cpdef overwrite(self, bytes digest, last_update_time, set_id, bytes start, payload)
    @cython.locals(index=PrimaryIndex)
    cpdef exchange(self, bytes digest, last_update_time, set_id, bytes start, payload)
