// The example as a program, of every schedule and with every fusion: -program-verify follows each.

// RUN: memformer-opt %source_dir/examples/recurrence.mlir -memformer-schedule-pipeline=schedule=mrbp -memformer-kernel-pipeline="fuse-layer-norm=true fuse-normalize=true panel-width=32" -memformer-program-pipeline | FileCheck %s --check-prefixes=CHECK,FUSED
// RUN: memformer-opt %source_dir/examples/recurrence.mlir -memformer-schedule-pipeline=schedule=checkpoint -memformer-kernel-pipeline -memformer-program-pipeline | FileCheck %s --check-prefixes=CHECK,PLAIN
// RUN: memformer-opt %source_dir/examples/recurrence.mlir -memformer-schedule-pipeline=schedule=bptt -memformer-kernel-pipeline -memformer-program-pipeline | FileCheck %s --check-prefixes=CHECK,PLAIN,BPTT
// A program is read back as it was printed.
// RUN: memformer-opt %source_dir/examples/recurrence.mlir -memformer-schedule-pipeline -memformer-kernel-pipeline -memformer-program-pipeline -o %t.mlir
// RUN: memformer-opt %t.mlir -program-verify | diff %t.mlir -

// CHECK: module attributes {memformer.batch = 4 : i64
// CHECK: program.space @replay "replay" bytes 0 {extra_segments = 1 : i64, segment_bytes = 2560 : i64}
// BPTT: program.space @saved "saved"
// FUSED-NOT: kernel.layer_norm %
// FUSED-NOT: kernel.normalize %{{.*}}, %
// FUSED: kernel.gemm {{.*}} normalize(%
// PLAIN: kernel.layer_norm %
// CHECK: program.function @train {
// CHECK: program.function @trace {
