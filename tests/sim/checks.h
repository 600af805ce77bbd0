// The invariants of a move's design (docs/move.md names the states), and the
// checker that stands for each:
//
//  1  nothing accepted is lost        Ledger::OnResult, CheckEnd
//  2  no second effect                Ledger::OnEffect: each must be explained
//                                     by a doubt or a redelivery; with an inbox
//                                     by a kill or a doubt at the sink;
//                                     RunClaims
//  3  order per producer and key      Ledger::CheckOrder, of first effects;
//     marks of what is late           CheckLate
//  4  nothing to A after the commit   Ledger::CheckStamp
//  5  nothing of B before the drain   MoveSteps, and by the order (3)
//  6  the spool                       CheckEnd: what was spooled was sent
//  7  generations never fall          MoveSteps, restarts included
//  8  a source is completed after     Ledger::OnCompleted
//     its destination accepted
//  9  everything ends                 CheckEnd: results by their deadlines, all
//                                     queues empty, nothing on its way, moves
//                                     over, messages sent once all is well
// 10  bounds                          Ledger::CheckBudget (re-sends), CheckEnd
//                                     (links at brokers that were left)
//  0  the contracts of the SPI and    SimSender, SimReceiver, Producer
//     of the public headers
#ifndef TIELINE_TESTS_SIM_CHECKS_H_
#define TIELINE_TESTS_SIM_CHECKS_H_

#include "tests/sim/ledger.h"

namespace tieline::sim {

class World;

// To be called when the world is quiet, or should be.
void CheckEnd(const World& world, Ledger* ledger);

}  // namespace tieline::sim

#endif  // TIELINE_TESTS_SIM_CHECKS_H_
