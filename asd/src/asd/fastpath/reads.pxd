from asd.fastpath.contract cimport unplain
from asd.fastpath.replies cimport framed
