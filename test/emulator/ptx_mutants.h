// Faults put into PTX text, to see that they are found.

#ifndef MEMFORMER_TEST_EMULATOR_PTX_MUTANTS_H
#define MEMFORMER_TEST_EMULATOR_PTX_MUTANTS_H

#include <string>
#include <string_view>
#include <vector>

namespace memformer::emulator {

/// One instruction of a PTX text that orders threads or copies, or that says which numbers of which
/// matrix a product takes.
struct MutationSite {
  enum class Kind {
    Barrier,     // bar.sync, barrier.sync: removed
    WarpBarrier, // bar.warp.sync: removed
    Fence,       // fence.proxy.async, wgmma.fence: removed
    Wait,        // wait_group n of cp.async or wgmma: waits for one group less; cp.async.wait_all,
                 // mbarrier.try_wait: removed
    Fragment,    // mma: the first two different registers of A are swapped; wgmma: of D
    Matrices,    // ldmatrix: the first two of its registers are swapped
    Bound,       // the comparison at a loop's end: it ends a round earlier
    Stride,      // what a place moves in each round of a loop: by 4 more
    Place,       // the address of a load, a store or a copy: 4 bytes further
    Pointer      // a parameter: 4 bytes further
  };
  Kind kind;
  unsigned line; // from 1
  std::string instruction;
  size_t begin, end;  // in the text, with its guard and its semicolon
  int64_t change = 0; // of a bound
};

inline constexpr unsigned mutationKinds = 10;
const char *nameOf(MutationSite::Kind kind);

/// All sites of a PTX text, in their order.
std::vector<MutationSite> mutationSites(std::string_view ptx);

/// The text with one site changed. The number of lines stays the same.
std::string mutated(std::string_view ptx, const MutationSite &site);

} // namespace memformer::emulator

#endif
