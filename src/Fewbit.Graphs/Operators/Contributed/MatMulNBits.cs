using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>com.microsoft MatMulNBits(a, codes, scales, zero points, group indices, bias): a [..., K] times a weight [N, K] of 2-, 4- or 8-bit codes with a scale and zero point for each block of a row.</summary>
/// <remarks>The product is that of the dequantized weight, in float32 (accuracy level 0). Codes are unsigned; without zero points the middle code stands for 0.</remarks>
/// <param name="Columns">N.</param>
/// <param name="Inner">K.</param>
/// <param name="Bits">Bits of a code.</param>
/// <param name="BlockSize">Codes of a row that share a scale.</param>
internal sealed record MatMulNBits(int Columns, int Inner, int Bits, int BlockSize) : ICompiledOperator
{
    private const int Codes = 1, Scales = 2, ZeroPoints = 3, Groups = 4, Bias = 5;

    private int Blocks => (Inner + BlockSize - 1) / BlockSize;

    private int BlockBytes => BlockSize * Bits / 8;

    /// <summary>Zero points of a row are packed as its codes are, and filled up to whole bytes.</summary>
    private int ZeroPointBytes => (Blocks * Bits + 7) / 8;

    public static MatMulNBits Parse(Node node)
    {
        (long columns, long inner, long bits, long block) = (node.Int("N"), node.Int("K"), node.Int("bits", 4), node.Int("block_size"));
        node.Expect(bits is 2 or 4 or 8, $"bits is {bits}, expected 2, 4 or 8");
        node.Expect(columns is >= 1 and <= int.MaxValue && inner is >= 1 and <= 1 << 28, $"weight is {columns} by {inner}, expected lengths of 1 or more");
        node.Expect(block is >= 16 and <= 1 << 20 && (block & (block - 1)) == 0, $"block_size is {block}, expected a power of two of 16 or more");
        return new((int)columns, (int)inner, (int)bits, (int)block);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 6);
        context.ExpectType(Codes, type => type == ElementType.UInt8, "uint8 bytes of codes");
        ExpectCount(context, Codes, "B", (long)Columns * Blocks * BlockBytes);
        ExpectCount(context, Scales, "scales", (long)Columns * Blocks);
        if (context.HasInput(ZeroPoints)) ExpectCount(context, ZeroPoints, "zero_points", (long)Columns * (context.InputType(ZeroPoints) == ElementType.UInt8 ? ZeroPointBytes : Blocks));
        node.ExpectVector(context, Bias, Columns, "bias");
        SymbolicShape? a = context.InputShape(0);
        node.Expect(a is null || (a.Rank >= 1 && a[a.Rank - 1].MayEqual(Inner)), $"input has shape {a}, expected [..., {Inner}]");
        context.SetOutput(0, context.InputType(0), a?.With(a.Rank - 1, Columns));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        if (context.InputType(0) != ElementType.Float32) return context.Node.NoKernel(context.InputType(0));
        bool isConstant = Enumerable.Range(Codes, Groups).All(i => !context.HasInput(i) || context.Constant(i) is not null);
        Tensor? packed = !isConstant ? null : CompilationContext.Derive(context.Constant(Codes)!, ("MatMulNBits", this, context.Constant(Scales), context.Constant(ZeroPoints), context.Constant(Groups), KernelPaths.Active),
            codes => PackedRight.Of(Dequantize(context.Node, codes, context.Constant(Scales)!, context.Constant(ZeroPoints), context.Constant(Groups)), Columns, Inner, transposed: true));
        return new Kernel(this, checked((int)(context.InputShape(0).ElementCount / Inner)), packed);
    }

    private static void ExpectCount(InferenceContext context, int input, string name, long count)
    {
        if (context.InputShape(input) is { IsKnown: true } shape) context.Node.Expect(shape.ToShape().ElementCount == count, $"{name} has shape {shape}, expected {count} elements");
    }

    /// <summary>The weight [N, K] in float32.</summary>
    private Tensor Dequantize(Node node, Tensor codes, Tensor scales, Tensor? zeroPoints, Tensor? groups)
    {
        Tensor weight = Tensor.AllocateUninitialized(ElementType.Float32, [Columns, Inner]);
        Span<float> w = weight.Span<float>();
        Span<byte> bytes = codes.Span<byte>();
        float[] factors = Floats.Read(scales), stated = zeroPoints is null or { Type: ElementType.UInt8 } ? [] : Floats.Read(zeroPoints);
        // A group index says which block a column of the input belongs to; otherwise blocks follow each other.
        int[]? order = groups is null ? null : Quantized.Codes.Read(groups);
        node.Expect(order is null || (order.Length >= Inner && Array.TrueForAll(order, block => block >= 0 && block < Blocks)), $"g_idx does not name one of {Blocks} blocks for each of {Inner} columns");
        for (int n = 0; n < Columns; n++)
        {
            for (int k = 0; k < Inner; k++)
            {
                int block = order?[k] ?? k / BlockSize, at = n * Blocks + block;
                float zero = stated.Length > 0 ? stated[at] : zeroPoints is null ? 1 << (Bits - 1) : Code(zeroPoints.Span<byte>(), n * ZeroPointBytes, block);
                w[n * Inner + k] = (Code(bytes, n * Blocks * BlockBytes, k) - zero) * factors[at];
            }
        }
        return weight;
    }

    private int Code(ReadOnlySpan<byte> bytes, int start, int index) => (bytes[start + index * Bits / 8] >> (index * Bits % 8)) & ((1 << Bits) - 1);

    private sealed unsafe class Kernel(MatMulNBits op, int rows, Tensor? packed) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            Tensor? weight = packed is null ? op.Dequantize(context.Node, context.Input(Codes), context.Input(Scales), context.FindInput(ZeroPoints), context.FindInput(Groups)) : null;
            float* b = weight is null ? null : (float*)weight.Address;
            GemmProblem problem = GemmProblem.Dense(rows, op.Columns, op.Inner, (float*)context.Input(0).Address, b, (float*)context.Output(0).Address, transposeB: true);
            if (packed is not null) problem.PackedB = PackedRight.View(packed, op.Columns, op.Inner);
            if (context.FindInput(Bias) is { } bias) problem.Epilogue.ColumnBias = (float*)bias.Address;
            Gemm.Run(problem, context.Scratch(Gemm.ScratchBytes(problem)));
            GC.KeepAlive(weight);
        }
    }
}
