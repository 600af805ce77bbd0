// Registers the backends that this build has. A program that knows which ones
// it wants calls their Register() and nothing else.
#ifndef TIELINE_EXAMPLES_BACKENDS_H_
#define TIELINE_EXAMPLES_BACKENDS_H_

#if TIELINE_HAS_MEMORY
#include "tieline/memory.h"
#endif
#if TIELINE_HAS_KAFKA
#include "tieline/kafka.h"
#endif
#if TIELINE_HAS_AMQP
#include "tieline/amqp.h"
#endif

inline void RegisterBackends() {
#if TIELINE_HAS_MEMORY
  tieline::memory::Register();
#endif
#if TIELINE_HAS_KAFKA
  tieline::kafka::Register();
#endif
#if TIELINE_HAS_AMQP
  tieline::amqp::Register();
#endif
}

#endif  // TIELINE_EXAMPLES_BACKENDS_H_
