// No later pass undoes a recomputation: after -cse and -canonicalize, each of the two traversals still
// has the whole encoder.

// RUN: memformer-opt %S/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=mrbp -cse -canonicalize -inline -cse -symbol-dce | FileCheck %s

// CHECK-LABEL: func.func @forward(
// CHECK: memformer.embedding
// CHECK: memformer.layer_norm
// CHECK: memformer.linear
// CHECK: memformer.slot_attention
// CHECK: memformer.bmn
// CHECK: return
// CHECK-LABEL: func.func @replay(
// CHECK: memformer.embedding
// CHECK: memformer.layer_norm
// CHECK: memformer.linear
// CHECK: memformer.slot_attention
// CHECK: memformer.bmn
// CHECK: return
