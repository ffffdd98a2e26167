// The program of each schedule of a model with two states, tied parameters and dropout.

// RUN: memformer-opt %S/../schedule/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=mrbp -memformer-kernel-pipeline -memformer-program-pipeline | FileCheck %s --check-prefixes=CHECK,MRBP
// RUN: memformer-opt %S/../schedule/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=checkpoint -memformer-kernel-pipeline -memformer-program-pipeline | FileCheck %s --check-prefixes=CHECK,CHECKPOINT
// RUN: memformer-opt %S/../schedule/Inputs/two-states.mlir -memformer-schedule-pipeline=schedule=bptt -memformer-kernel-pipeline -memformer-program-pipeline | FileCheck %s --check-prefixes=CHECK,BPTT

// MRBP: module attributes {memformer.batch = 3 : i64, memformer.name = "pair", memformer.schedule = "mrbp"}

// 28, 4, 8, 16, 4, 4 and 4 entries, each padded to 16.
// CHECK: program.space @parameters "parameters" bytes 512
// CHECK: program.space @gradients "gradients" bytes 512
// CHECK: program.space @optimizer "optimizer" bytes 1024
// CHECK: program.space @packed "parameters"
// 24 and 60 entries.
// CHECK: program.space @replay "replay" bytes 0 {extra_segments = 1 : i64, segment_bytes = 384 : i64}
// BPTT: program.space @saved "saved" bytes 0 {segment_bytes
// CHECKPOINT-NOT: program.space @saved
// MRBP-NOT: program.space @saved
// CHECK: program.space @workspace "workspace"
// CHECK: program.tensor parameter "table" at <@parameters, 0> : tensor<7x4xf32> {initializer = #memformer.initializer<normal, 5.000000e-01>}
// CHECK: program.tensor state "slots" at <@replay, 0> : tensor<3x2x4xf32>
// CHECK: program.tensor state "carry" at <@replay, 128> : tensor<3x5x4xf32>
// CHECK-DAG: program.tensor input "tokens" at <@inputs, {{[0-9]+}}> : tensor<3x5xi32> {bound = 7 : i64}
// CHECK-DAG: program.tensor input "targets" at <@inputs, {{[0-9]+}}> : tensor<3x5xi32> {bound = 7 : i64, ignored}
// CHECK-DAG: program.tensor input "reset" at <@inputs, {{[0-9]+}}> : tensor<3xi32>
// CHECK-DAG: program.tensor output "loss" at <@outputs, [[LOSS:[0-9]+]]> : tensor<3x5xf32>
// CHECK-DAG: program.tensor scalar "learning_rate" at <@scalars, 0> : tensor<f32>
// CHECK-DAG: program.tensor scalar "bias_correction2" at <@scalars, 28> : tensor<f32>
// CHECK-DAG: program.tensor scalar "loss_scale" at <@scalars, {{64|128}}> : tensor<f32>

// CHECK: program.function @prepare {
// CHECK-NEXT: program.dispatch
// CHECK: program.function @train {
// CHECK-NEXT: program.fill <@gradients, 0> bytes 512

// The next states are written into the next slot.
// MRBP-NEXT: program.loop from_stored skip_last outputs [] {
// MRBP-NOT: program.copy
// MRBP: #program.address<@replay, 512, stride 384>
// MRBP-NOT: program.copy
// MRBP: }
// BPTT-NEXT: program.loop outputs ["loss"] {
// BPTT: #program.address<@saved, 0, stride
// BPTT: program.copy <@replay, 384, stride 384> from <@{{.*}}> bytes 128 {when = 1 : i32}
// BPTT: program.copy <@replay, 512, stride 384> from <@{{.*}}> bytes 256 {when = 1 : i32}
// BPTT: }
// CHECKPOINT-NEXT: program.loop outputs ["loss"] {
// CHECKPOINT: program.copy <@replay, 384, stride 384> from <@workspace, {{[0-9]+}}> bytes 128 {when = 1 : i32}
// CHECKPOINT: }

// Gradients of states are carried at the beginning of the workspace.
// CHECK: program.fill <@workspace, 0> bytes 384
// CHECK-NEXT: program.loop descending outputs [
// MRBP-SAME: "loss"
// CHECK-SAME: ] {
// MRBP-DAG: program.copy <@replay, 384, stride 384> from <@workspace, {{[0-9]+}}> bytes 128 {when = 2 : i32}
// MRBP-DAG: program.copy <@replay, 512, stride 384> from <@workspace, {{[0-9]+}}> bytes 256 {when = 2 : i32}

// CHECK: program.function @update {
// CHECK-NEXT: program.dispatch @squared_norm_0 [#program.address<@gradients, 0>, #program.address<@workspace, 0>]
// CHECK-NEXT: program.dispatch @adamw_0 [#program.address<@parameters, 0>, #program.address<@gradients, 0>, #program.address<@optimizer, 0>, #program.address<@optimizer, 512>, #program.address<@workspace, 0>, #program.address<@scalars, 0>, #program.address<@scalars, {{64|128}}>]

// CHECK: program.function @evaluate {
// CHECK-NEXT: program.loop outputs ["loss", "prediction"] {
// CHECK: program.function @trace {
// CHECK-NEXT: program.loop outputs ["logits", "prediction", "loss", "slots", "carry"] {
