# The functions of replies.py for compiled modules (`asd --compile`): the same bytes without `struct`.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy, memset

cdef inline void put_u32(unsigned char *at, unsigned int value) noexcept:
    at[0] = value >> 24
    at[1] = value >> 16 & 0xFF
    at[2] = value >> 8 & 0xFF
    at[3] = value & 0xFF


cdef inline bytes with_ops(
    bytes start, unsigned int size, bytes header, unsigned int generation, unsigned int void_time
):
    if len(start) != 4 or len(header) != 6:
        raise ValueError("not the start of a frame and of a message")
    cdef bytes reply = PyBytes_FromStringAndSize(NULL, 28)
    cdef unsigned char *at = <unsigned char *> PyBytes_AS_STRING(reply)
    memcpy(at, <const char *> start, 4)
    put_u32(at + 4, size)
    memcpy(at + 8, <const char *> header, 6)
    put_u32(at + 14, generation)
    put_u32(at + 18, void_time)
    memset(at + 22, 0, 6)
    return reply


cdef inline bytes without_ops(bytes start, unsigned int generation, unsigned int void_time):
    if len(start) != 14:
        raise ValueError("not the start of a frame and of a message")
    cdef bytes reply = PyBytes_FromStringAndSize(NULL, 30)
    cdef unsigned char *at = <unsigned char *> PyBytes_AS_STRING(reply)
    memcpy(at, <const char *> start, 14)
    put_u32(at + 14, generation)
    put_u32(at + 18, void_time)
    memset(at + 22, 0, 8)
    return reply
