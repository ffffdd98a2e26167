// The folder of a training run, and which of its files are whose.
#include "runtime/training/run_folder.h"

namespace memformer {

namespace {

// What a process that was killed while it wrote has left behind. The run is ours: nobody else is
// writing.
void removeTemporaryFiles(const RunFolder &folder) {
  std::error_code code;
  for (const auto &entry : std::filesystem::directory_iterator(folder.path, code))
    for (const auto &file : {folder.checkpoint(), folder.weights(), folder.configuration()})
      if (entry.path().filename().native().starts_with(file.filename().native() + ".tmp"))
        std::filesystem::remove(entry.path(), code);
}

} // namespace

Result<MetricsFile> openRunFolder(const RunFolder &folder, ExistingRun existing) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::create_directories(folder.path, code);
  if (code || !fs::is_directory(folder.path, code))
    return error("cannot create the folder {}: {}", folder.path.native(),
                 code ? code.message() : "there is something else of that name");
  const fs::path files[] = {folder.checkpoint(), folder.weights(), folder.configuration(),
                            folder.metrics()};
  if (existing == ExistingRun::Refuse)
    for (const fs::path &file : files)
      if (fs::exists(fs::symlink_status(file, code)))
        return error("{} holds a run already ({}): use --resume to go on with it, --overwrite to "
                     "replace it, or --out for another folder",
                     folder.path.native(), file.filename().native());
  auto metrics = MetricsFile::open(folder.metrics());
  if (!metrics)
    return metrics;
  removeTemporaryFiles(folder);
  if (existing == ExistingRun::Overwrite) {
    // The lock is on the metrics file: it stays, and is emptied.
    for (const fs::path &file : {folder.checkpoint(), folder.weights(), folder.configuration()})
      if (fs::remove(file, code); code)
        return error("cannot remove {}: {}", file.native(), code.message());
    MEMFORMER_TRY(metrics->truncate(0));
  }
  return metrics;
}

} // namespace memformer
