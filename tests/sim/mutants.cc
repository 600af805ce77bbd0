#include "tests/sim/mutants.h"

namespace tieline::sim {

const std::vector<MutantInfo>& Mutants() {
  static const auto* mutants = new std::vector<MutantInfo>{
      // The machine of a move (lib/policy/move*).
      {1, "the present place is read before the earlier ones are drained"},
      {3, "what comes from a retired place is not marked"},
      {6, "retired places are not listened to"},
      {7, "no proof is asked for"},
      {8, "nobody waits for the end of a retired place"},
      {11, "nobody waits for the sends at the place that was left"},
      {15, "what was proved is recorded as given up"},
      {16, "the place that was left is not recorded as undrained"},
      {18, "drained places are not retired, but forgotten"},
      {19, "what was given up is recorded as proved"},
      {20, "who starts without a record forgets what was"},
      {21, "a proof retires its place at once"},
      {23, "sends go on while the move is committed"},
      {24, "a word is taken for the next generation, too"},
      {27, "a move that was made stays planned"},
      {28, "what was left last is drained first"},
      // What a sender keeps (lib/policy, lib/engine/send_queue).
      {30, "several sends of a key are on their way at once"},
      {31, "what waits for its key is forgotten"},
      {32, "what waits for its key goes newest first"},
      {33, "the retry budget is never filled again"},
      {34, "the retry budget is not used up"},
      {35, "keys are sent together where a broker may refuse the first"},
      {37, "a key is free while its send waits to be sent again"},
      // The claims of an inbox (lib/policy/claims).
      {40, "a copy does not wait for the one that is in hand"},
      {41, "copies wait in the wrong order"},
      {42, "what was handled is handled again"},
      {43, "what failed counts as handled"},
      {44, "a claim that goes on stays sealed"},
      {45, "another body counts as handled with the first"},
      {46, "all that wait have their turn at once"},
      {47, "whose turn it is, is known by another body"},
      {48, "all are forgotten with one who goes away"},
      // The senders of a move (lib/engine).
      {50, "messages have no stamp"},
      {51, "what was begun goes on in another order"},
      {52, "keys are not kept apart at a move"},
      {53, "an outcome from the place that was left does not free its key"},
      {54, "an unknown outcome there is taken for the last word"},
      {55, "what is lost with that place stays away for ever"},
      {56, "the generation is not told to the sender"},
      {57, "the place that was left is not remembered"},
      {58, "outcomes from there are dropped"},
      {59, "nobody says that no more outcomes come from there"},
      {60, "a message that is sent again keeps its stamp"},
      {61, "a receiver reads no stamp"},
      // What drives the machine (lib/move, lib/engine/receiver_leg_move).
      {65, "the stamp goes on with the message"},
      {70, "a move that can't be prepared is not undone"},
      {72, "outcomes at the place that was left are not waited for"},
      {73, "a retired place is let go at once"},
      {74, "a place counts as empty that is not"},
      {75, "a dead broker is given up though the queue is to be held"},
      {77, "senders hold for ever"},
      {78, "a new receiver has no gate"},
      {79, "a place that is to be drained gets no credit"},
      {80, "senders never leave a place"},
      {81, "receivers never leave a place"},
      {82, "senders are not told to go"},
      // What is on disk (lib/engine, lib/store).
      {90, "what was accepted while it was spooled is sent again"},
      {91, "the spool is trimmed when it is read"},
      {92, "what comes later overtakes the spool"},
      {93, "what was handled is not written down"},
      {94, "ids that the disk did not take are not tried again"},
      {96, "who is behind its config sends to where it was"},
      {97, "what was spooled before a restart is left there"},
      {98, "what the disk did not take counts as written"},
      {99, "the record of a move is not read"},
      // What processes ask each other (lib/move).
      {100, "members that may still send are not waited for"},
      {101, "members that do not answer are not waited for"},
      {102, "who has proved a place goes on without the other readers"},
  };
  return *mutants;
}

}  // namespace tieline::sim
