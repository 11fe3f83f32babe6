#include "textflag.h"

TEXT libc_select_trampoline<>(SB),NOSPLIT,$0-0
	JMP	libc_select(SB)
GLOBL	·libcSelectAddr(SB), RODATA, $8
DATA	·libcSelectAddr(SB)/8, $libc_select_trampoline<>(SB)
