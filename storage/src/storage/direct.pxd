# The functions of direct.py for compiled modules (`asd --compile`): the same results from loads and
# stores. The one .pxd that holds code, for Python has no words for it. Byte order: storage/area.py.
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcmp, memcpy

ctypedef unsigned long long u64
ctypedef (Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, u64, Py_ssize_t, Py_ssize_t) fields_t

ctypedef struct ranked_t:
    unsigned char first[8]  # of the digest: most comparisons end there, without a look at the entry
    const unsigned char *entry


cdef inline unsigned char *place(object area, Py_ssize_t start, Py_ssize_t size, int how) except NULL:
    """Where these bytes of a buffer are, all of them within it; good until Python runs again."""
    cdef Py_buffer view
    PyObject_GetBuffer(area, &view, how)
    cdef unsigned char *first = <unsigned char *> view.buf
    cdef Py_ssize_t length = view.len
    PyBuffer_Release(&view)
    if start < 0 or size < 0 or start > length - size:
        raise IndexError("outside of the area")
    return first + start


cdef inline u64 number(const unsigned char *first, size_t size) noexcept:
    cdef u64 value = 0
    memcpy(&value, first, size)
    return value


cdef inline fields_t fields_at(object area, Py_ssize_t offset) except *:
    cdef const unsigned char *entry = place(area, offset, 64, PyBUF_SIMPLE)
    return (
        <Py_ssize_t> number(entry + 20, 2),
        <Py_ssize_t> number(entry + 22, 2),
        <Py_ssize_t> number(entry + 24, 4),
        <Py_ssize_t> entry[28],
        number(entry + 32, 8),
        <Py_ssize_t> number(entry + 40, 8),
        <Py_ssize_t> number(entry + 48, 4),
    )


cdef inline int put_meta(
    object area, Py_ssize_t offset, unsigned short generation, unsigned short set_id,
    unsigned int void_time, unsigned char flags, u64 last_update_time
) except -1:
    cdef unsigned char *meta = place(area, offset, 20, PyBUF_WRITABLE)
    memcpy(meta, &generation, 2)
    memcpy(meta + 2, &set_id, 2)
    memcpy(meta + 4, &void_time, 4)
    meta[8] = flags
    meta[9] = meta[10] = meta[11] = 0
    memcpy(meta + 12, &last_update_time, 8)
    return 0


cdef inline bytes bytes_at(object area, Py_ssize_t start, Py_ssize_t size):
    return (<const unsigned char *> place(area, start, size, PyBUF_SIMPLE))[:size]


cdef inline bint same_at(object area, Py_ssize_t start, bytes expected) except -1:
    cdef Py_ssize_t size = len(expected)
    return not memcmp(place(area, start, size, PyBUF_SIMPLE), <const char *> expected, size)


cdef inline int put_bytes(object area, Py_ssize_t start, object content) except -1:
    cdef Py_buffer view
    PyObject_GetBuffer(content, &view, PyBUF_SIMPLE)
    try:
        memcpy(place(area, start, view.len, PyBUF_WRITABLE), view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return 0


cdef inline int byte_at(object area, Py_ssize_t start) except -1:
    return place(area, start, 1, PyBUF_SIMPLE)[0]


cdef inline int by_digest(const void *one, const void *other) noexcept nogil:
    cdef int order = memcmp((<ranked_t *> one).first, (<ranked_t *> other).first, 8)
    return order or memcmp((<ranked_t *> one).entry, (<ranked_t *> other).entry, 20)


cdef inline list entries_in_order(object area, list slots):
    cdef Py_ssize_t count = len(slots), at, slot
    cdef list entries = []
    if not count:
        return entries
    cdef ranked_t *ranked = <ranked_t *> malloc(count * sizeof(ranked_t))
    if not ranked:
        raise MemoryError
    try:
        for at in range(count):
            slot = slots[at]
            ranked[at].entry = place(area, slot * 64, 64, PyBUF_SIMPLE)
            memcpy(ranked[at].first, ranked[at].entry, 8)
        qsort(ranked, count, sizeof(ranked_t), by_digest)
        for at in range(count):
            entries.append((<const unsigned char *> ranked[at].entry)[:64])
    finally:
        free(ranked)
    return entries
