// What a shard's loop does with its time, since the start.
// Owned by: whoever outlives the loop and its readers. The loop alone writes (loop_watch.h); any
//           thread reads.
// Holds:    a turn lasts from the moment that poll returns until the network has nothing to do but
//           wait, or the next poll returns without having waited: so the kernel's sends are in it.
//           What the network does between its wake-up and poll's return is in none.
#pragma once

#include "runtime/coarse_histogram.h"
#include "runtime/stall.h"

namespace millrace {

struct LoopFigures {
    Counter turns;                  // all, those that only looked for work included
    Counter sleeps;                 // times when the network waited
    DurationHistogram turn;         // of busy turns: those with an event, a mail, a timer or admin work
    CountHistogram events;          // of turns that had any
    CountHistogram mails;           // likewise
    StallBox longest;               // since the start
    StallBox longest_current;       // of these ten minutes
    StallBox longest_previous;      // of the ten minutes before
};

}  // namespace millrace
