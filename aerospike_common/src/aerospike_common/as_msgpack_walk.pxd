# Types for the compiled twin of as_msgpack_walk.py (`asd --compile`): never behaviour.
cimport cython

cdef bytes _BEHIND, _SIZED
cdef int _STRING

@cython.locals(tag=int, sized=Py_ssize_t, size=Py_ssize_t, place=Py_ssize_t)
cpdef Py_ssize_t skip(bytes data, Py_ssize_t at, Py_ssize_t count) except -1

@cython.locals(tag=int, value="long long", place=Py_ssize_t)
cpdef long long integer_at(bytes data, Py_ssize_t at) except? -1

@cython.locals(tag=int, at=Py_ssize_t, position=Py_ssize_t, found="long long")
cpdef tuple bound_of_integer(bytes data, Py_ssize_t count, Py_ssize_t width, long long wanted,
                             bint after)

@cython.locals(at=Py_ssize_t, position=Py_ssize_t, order=int)
cpdef tuple bound_of_text(bytes data, Py_ssize_t count, Py_ssize_t width, bytes wanted, bint after)

@cython.locals(tag=int, end=Py_ssize_t, size=Py_ssize_t, place=Py_ssize_t, is_string=bint)
cdef int _order_of_text(bytes data, Py_ssize_t at, bytes wanted) except? -2

@cython.locals(tag=int, below=Py_ssize_t, at=Py_ssize_t, position=Py_ssize_t, value="long long",
               found=list)
cpdef tuple integers_between(bytes data, Py_ssize_t count, Py_ssize_t width, long long low,
                             long long high, bint bounded)

@cython.locals(size=Py_ssize_t, tag=int, end=Py_ssize_t, length=Py_ssize_t, place=Py_ssize_t, _=Py_ssize_t)
cpdef Py_ssize_t canonical_scalars(bytes data, Py_ssize_t at, Py_ssize_t count) except? -1

cdef bint _is_shortest(int tag, long long value) except -1
