// Opens the source that [data] names.
#include "runtime/data/source.h"

#include "runtime/data/sequences.h"
#include "runtime/data/stream.h"

namespace memformer {

Result<std::unique_ptr<Source>> openSource(const DataSettings &settings, Split split,
                                           const DataShape &shape, uint64_t seed) {
  if (settings.kind.empty())
    return error("expected [data] to set kind: \"recall\", \"copy\", \"text\", \"idx\" or "
                 "\"tokens\"");
  if (isTask(settings))
    return openTask(settings, split, shape, seed);
  if (settings.bos >= shape.vocab)
    return error("expected data.bos to be below model.vocab = {}, but got {}", shape.vocab,
                 settings.bos);
  if (settings.kind == "idx")
    return openIdx(settings, split, shape, seed);
  return StreamSource::open(settings, split, shape);
}

bool hasValidation(const DataSettings &settings) {
  return isTask(settings) || settings.validation > 0 || !settings.validationPath.empty();
}

} // namespace memformer
