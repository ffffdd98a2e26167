// How the result of an evaluation is printed.
#include "tools/memformer-run/report.h"

#include <cmath>
#include <numbers>

namespace memformer {

nlohmann::ordered_json scoreJson(const DataSettings &data, const Score &score,
                                 const std::vector<GapScore> &gaps) {
  nlohmann::ordered_json json = {{"loss", score.meanLoss()},
                                 {"bits", score.meanLoss() / std::numbers::ln2},
                                 {"perplexity", std::exp(score.meanLoss())},
                                 {"accuracy", score.accuracy()},
                                 {"standard_error", standardError(score.accuracy(), score.counted)},
                                 {"targets", score.counted}};
  if (isTask(data)) {
    json["chance"] = chanceAccuracy(data);
    json["gaps"] = nlohmann::ordered_json::array();
    for (const GapScore &gap : gaps)
      json["gaps"].push_back(
          {{"gap", gap.gap},
           {"accuracy", gap.score.accuracy()},
           {"standard_error", standardError(gap.score.accuracy(), gap.score.counted)},
           {"targets", gap.score.counted}});
  }
  return json;
}

void printScore(const DataSettings &data, const Score &score, const std::vector<GapScore> &gaps) {
  fmt::print("held-out loss  {:.4f} nats, {:.4f} bits{}, perplexity {:.4f}\n", score.meanLoss(),
             score.meanLoss() / std::numbers::ln2, data.kind == "text" ? " per byte" : "",
             std::exp(score.meanLoss()));
  fmt::print("accuracy       {:.4f} +- {:.4f} of {} targets\n", score.accuracy(),
             standardError(score.accuracy(), score.counted), score.counted);
  if (!isTask(data))
    return;
  fmt::print("chance         {:.4f}\n", chanceAccuracy(data));
  if (gaps.empty())
    return;
  fmt::print("\n{:>6}  {:>8}  {:>14}\n", "gap", "accuracy", "standard error");
  for (const GapScore &gap : gaps)
    fmt::print("{:>6}  {:>8.4f}  {:>14.4f}\n", gap.gap, gap.score.accuracy(),
               standardError(gap.score.accuracy(), gap.score.counted));
}

} // namespace memformer
