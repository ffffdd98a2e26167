// The program dialect: dispatches with every byte's place decided.

#ifndef PROGRAM_OPS_TD
#define PROGRAM_OPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Program_Dialect : Dialect {
  let name = "program";
  let cppNamespace = "::memformer::program";
  let summary = "what the runtime executes";
  let description = [{The last level before code: spaces of memory, kernels, and functions made of dispatches, fills, copies and loops over segments. docs/artifact.md describes their meaning and their serialised form.}];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::memformer::kernel::KernelDialect"];
}

class Program_Op<string mnemonic, list<Trait> traits = []> : Op<Program_Dialect, mnemonic, traits>;

def Program_AddressAttr : AttrDef<Program_Dialect, "Address"> {
  let mnemonic = "address";
  let summary = "a place in a space: offset + stride · segment, in bytes";
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$space, "int64_t":$offset, DefaultValuedParameter<"int64_t", "0">:$stride);
  let assemblyFormat = "`<` $space `,` $offset (`,` `stride` $stride^)? `>`";
}

def Program_AddressArray : TypedArrayAttrBase<Program_AddressAttr, "addresses">;

def SpaceOp : Program_Op<"space", [Symbol]> {
  let summary = "memory that is allocated once: bytes + segment_bytes · (T + extra_segments)";
  let hasVerifier = 1;
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$category, I64Attr:$bytes, DefaultValuedAttr<I64Attr, "0">:$segment_bytes, DefaultValuedAttr<I64Attr, "0">:$extra_segments);
  let assemblyFormat = "$sym_name $category `bytes` $bytes attr-dict";
}

def Program_TensorKind : I32EnumAttr<"TensorKind", "what a tensor is to the runtime", [
  I32EnumAttrCase<"Parameter", 0, "parameter">, I32EnumAttrCase<"State", 1, "state">, I32EnumAttrCase<"Input", 2, "input">, I32EnumAttrCase<"Output", 3, "output">,
  I32EnumAttrCase<"Scalar", 4, "scalar">, I32EnumAttrCase<"StepInput", 5, "step_input">, I32EnumAttrCase<"StepOutput", 6, "step_output">,
  I32EnumAttrCase<"Fixed", 7, "fixed">
]> {
  let cppNamespace = "::memformer::program";
}

// The memformer dialect's; its definitions are not included, as enums would be generated twice.
def Program_InitializerAttr : Attr<CPred<"::llvm::isa<::memformer::InitializerAttr>($_self)">, "how a parameter's first values are drawn"> {
  let storageType = "::memformer::InitializerAttr";
  let returnType = "::memformer::InitializerAttr";
  let convertFromStorage = "$_self";
}

def TensorOp : Program_Op<"tensor", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a place that the runtime knows by name";
  let description = [{
    Parameters have an initializer (`memformer.param`'s). Integer inputs and states may have a `bound`: their entries are in [0, bound), or −1 where `ignored`. The names of one kind are unique. Inputs and outputs of a step
    are those of one position where tokens are generated one by one.

    ```mlir
    program.tensor input "targets" at #program.address<@inputs, 512> : tensor<8x56xi32> {bound = 256 : i64, ignored}
    ```
  }];
  let arguments = (ins Program_TensorKind:$kind, StrAttr:$name, Program_AddressAttr:$address, TypeAttrOf<StaticShapeTensorOf<[F32, I32]>>:$type, OptionalAttr<Program_InitializerAttr>:$initializer,
    OptionalAttr<I64Attr>:$bound, UnitAttr:$ignored);
  let assemblyFormat = "$kind $name `at` $address `:` $type attr-dict";
}

def KernelOp : Program_Op<"kernel", [Symbol, IsolatedFromAbove]> {
  let summary = "one kernel: ops of the kernel dialect between their arguments and their results";
  let description = [{
    Mostly a single op, whose operands in order are the block arguments. Several ops are a *launch*: they run as one kernel, of targets that can. Without `parts` they have nothing to do with each other: no op
    reads what another computes. With `parts`, a divisor of the batch, each part of the batch goes through the ops in their order, and may read what earlier ops computed for it (`kernel::partitionOf` says of which ops and operands).
    Every result has an argument; the kernel returns those that are read after it, a single op all. The grid is set by the target that compiles it.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$flops, I64Attr:$bytes, OptionalAttr<I64Attr>:$parts);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The ops of the kernel dialect that this kernel is.
    auto getKernels() { return getBody().front().without_terminator(); }
    /// The only one, null for a launch.
    ::mlir::Operation *getSingle();
    /// The name of the op's kind; "launch", or with parts "chain".
    ::llvm::StringRef getKind();
  }];
}

def ReturnOp : Program_Op<"return", [Terminator]> {
  let summary = "the end of a kernel: its results";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def FunctionOp : Program_Op<"function", [Symbol, NoTerminator, SingleBlock]> {
  let summary = "a list of instructions that the runtime can be asked to run";
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}

def DispatchOp : Program_Op<"dispatch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs a kernel over its grid";
  let description = [{`together`: it may run at the same time as the instruction before it, a dispatch, and as those that this one runs together with.}];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Program_AddressArray:$arguments, UnitAttr:$together);
  let assemblyFormat = "(`together` $together^)? $kernel $arguments attr-dict";
}

def FillOp : Program_Op<"fill", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "zeroes bytes";
  let arguments = (ins Program_AddressAttr:$to, I64Attr:$bytes);
  let assemblyFormat = "$to `bytes` $bytes attr-dict";
}

def Program_When : I32EnumAttr<"When", "for which segments an instruction runs", [
  I32EnumAttrCase<"Always", 0, "always">, I32EnumAttrCase<"Unstored", 1, "unstored">, I32EnumAttrCase<"Last", 2, "last">
]> {
  let cppNamespace = "::memformer::program";
}

def CopyOp : Program_Op<"copy", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "copies bytes";
  let arguments = (ins Program_AddressAttr:$to, Program_AddressAttr:$from, I64Attr:$bytes, DefaultValuedAttr<Program_When, "::memformer::program::When::Always">:$when);
  let assemblyFormat = "$to `from` $from `bytes` $bytes attr-dict";
}

def LoopOp : Program_Op<"loop", [NoTerminator, SingleBlock, HasParent<"FunctionOp">]> {
  let summary = "once for each segment";
  let description = [{`descending` reverses the order, `from_stored` leaves out the segments whose next state is stored, `skip_last` the last segment.}];
  let arguments = (ins UnitAttr:$descending, UnitAttr:$from_stored, UnitAttr:$skip_last, StrArrayAttr:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "(`descending` $descending^)? (`from_stored` $from_stored^)? (`skip_last` $skip_last^)? `outputs` $outputs attr-dict-with-keyword $body";
}

#endif
