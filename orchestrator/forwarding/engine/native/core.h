/* The forwarding engine's core: tables as segment lists, destination classes, outcomes, updates. See core.c. */
#ifndef ONEFOLD_CORE_H
#define ONEFOLD_CORE_H

#include <stddef.h>
#include <stdint.h>

#define ENGINE_ABI 1

int32_t engine_abi(void);

#endif
