// Everything of the memformer dialect, for the generators.

include "dialect/memformer/MemformerDialect.td"
include "dialect/memformer/MemformerInterfaces.td"
include "dialect/memformer/MemformerStructure.td"
include "dialect/memformer/MemformerOps.td"
include "dialect/memformer/MemformerGradients.td"
include "dialect/memformer/MemformerSteps.td"
