"""Operations on bins: pure functions on values, no server state, no clock."""
