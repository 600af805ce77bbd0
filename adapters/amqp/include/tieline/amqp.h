// The AMQP 1.0 backend: ActiveMQ Artemis, RabbitMQ and other brokers that speak
// AMQP 1.0, over TCP and TLS.
#ifndef TIELINE_AMQP_H_
#define TIELINE_AMQP_H_

namespace tieline::inline v0::amqp {

// Registers the schemes "amqp" and "amqps" for this process. Call it once,
// before a Bus is opened with such a broker; calling it again is fine. Any
// thread.
void Register();

}  // namespace tieline::inline v0::amqp

#endif  // TIELINE_AMQP_H_
