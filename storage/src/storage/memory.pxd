cimport cython
from storage cimport direct
from storage.chains cimport Chains
from storage.index cimport PrimaryIndex

cdef bint COMPILED
cdef object _pack_meta


cdef class MemoryEngine:
    cdef public Py_ssize_t _block_size, _debt, _moved
    cdef public Chains _chains
    cdef public object _blocks, _data, _data_size, _defrag_lwm_pct, _metadata
    cdef public bint acknowledges_sync
    cdef public PrimaryIndex index
    cdef public dict set_names

    @cython.locals(index=PrimaryIndex, offset=Py_ssize_t, generation=Py_ssize_t, set_id=Py_ssize_t,
                   void_time=Py_ssize_t, flags=Py_ssize_t, last_update_time="unsigned long long",
                   start=Py_ssize_t, size=Py_ssize_t)
    cpdef get(self, bytes digest)
    @cython.locals(index=PrimaryIndex, offset=Py_ssize_t, start=Py_ssize_t, size=Py_ssize_t,
                   old_set=Py_ssize_t, old_flags=Py_ssize_t)
    cpdef put(self, bytes digest, generation, void_time, last_update_time, set_id, flags,
              payload)
    @cython.locals(index=PrimaryIndex, offset=Py_ssize_t, generation=Py_ssize_t, old_set=Py_ssize_t,
                   void_time=Py_ssize_t, flags=Py_ssize_t, place=Py_ssize_t, size=Py_ssize_t,
                   updated="unsigned long long", new_generation=Py_ssize_t)
    cpdef Py_ssize_t overwrite(self, bytes digest, unsigned long long last_update_time,
                               Py_ssize_t set_id, bytes start, payload) except -1
    @cython.locals(index=PrimaryIndex, offset=Py_ssize_t, generation=Py_ssize_t, old_set=Py_ssize_t,
                   void_time=Py_ssize_t, flags=Py_ssize_t, place=Py_ssize_t, size=Py_ssize_t,
                   updated="unsigned long long", new_generation=Py_ssize_t)
    cpdef exchange(self, bytes digest, unsigned long long last_update_time, Py_ssize_t set_id,
                   bytes start, payload)
    @cython.locals(start=Py_ssize_t, size=Py_ssize_t)
    cpdef list payloads(self, locations, sizes, Py_ssize_t skip=*)
    @cython.locals(start=Py_ssize_t)
    cpdef bytes payload_byte(self, locations, Py_ssize_t at)
