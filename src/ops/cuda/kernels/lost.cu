// Ends in a trap, after which the context of the GPU is lost: for testing what becomes of a run then.
extern "C" __global__ void lost() { __trap(); }
