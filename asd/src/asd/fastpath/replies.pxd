cpdef bytes framed(generation, void_time, bytes ops)
