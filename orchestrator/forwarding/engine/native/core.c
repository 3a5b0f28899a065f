#include "core.h"

int32_t engine_abi(void) { return ENGINE_ABI; }
