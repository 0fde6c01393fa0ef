using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX DepthToSpace: [N, C, H, W] to [N, C / b², H · b, W · b].</summary>
/// <param name="Block">b.</param>
/// <param name="IsColumnRowDepth">True (CRD): C is split as [C / b², b, b]. False (DCR): as [b, b, C / b²].</param>
internal sealed record DepthToSpace(long Block, bool IsColumnRowDepth) : IDifferentiable
{
    public static DepthToSpace Parse(Node node) => new(BlockOf(node), node.String("mode", "DCR") switch
    {
        "CRD" => true,
        "DCR" => false,
        var other => throw node.Fail($"mode is '{other}', expected DCR or CRD"),
    });

    public static long BlockOf(Node node)
    {
        long block = node.Int("blocksize");
        node.Expect(block is > 0 and < 1 << 15, $"blocksize is {block}, expected 1 or more");
        return block;
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            context.Node.Expect(input.Rank == 4, $"takes [N, C, H, W], but is given {input}");
            context.Node.Expect(!input[1].IsKnown || input[1].Length % (Block * Block) == 0, $"has {input[1]} channels, expected a multiple of {Block * Block}");
            shape = [input[0], input[1].Map(c => c / (Block * Block)), input[2] * Block, input[3] * Block];
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        Tensor input = context.Input(0);
        SpaceBlocks.Copy(context.Node, input.Type, input.Address, context.Output(0).Address, context.Output(0).Shape, Block, IsColumnRowDepth, toSpace: true);
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "SpaceToDepth", new() { { "blocksize", Block }, { "mode", IsColumnRowDepth ? "CRD" : "DCR" } }));
    }
}

/// <summary>ONNX SpaceToDepth: [N, C, H, W] to [N, C · b², H / b, W / b], the inverse of DepthToSpace (DCR; CRD in the internal domain).</summary>
internal sealed record SpaceToDepth(long Block, bool IsColumnRowDepth) : IDifferentiable
{
    public static SpaceToDepth Parse(Node node) => new(DepthToSpace.BlockOf(node), node.Domain == OperatorTable.FewbitDomain && node.String("mode", "DCR") == "CRD");

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            context.Node.Expect(input.Rank == 4, $"takes [N, C, H, W], but is given {input}");
            bool divides = (!input[2].IsKnown || input[2].Length % Block == 0) && (!input[3].IsKnown || input[3].Length % Block == 0);
            context.Node.Expect(divides, $"splits {input} into blocks of {Block} by {Block}, expected multiples of {Block}");
            shape = [input[0], input[1] * (Block * Block), input[2].Map(h => h / Block), input[3].Map(w => w / Block)];
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        Tensor input = context.Input(0);
        SpaceBlocks.Copy(context.Node, input.Type, input.Address, context.Output(0).Address, input.Shape, Block, IsColumnRowDepth, toSpace: false);
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("DepthToSpace", new Attributes { { "blocksize", Block }, { "mode", IsColumnRowDepth ? "CRD" : "DCR" } }));
    }
}

/// <summary>Moves elements between blocks of a picture and its channels.</summary>
internal static class SpaceBlocks
{
    // Order of the tensor with many channels, for columns: n, row in block, column in block, c, h, w.
    private static ReadOnlySpan<int> DepthOrder => [0, 3, 5, 1, 2, 4];

    /// <summary>Copies one form to the other; <paramref name="space"/> is the shape of the tensor that is large in space: [N, C, H · b, W · b].</summary>
    public static unsafe void Copy(Node node, ElementType type, byte* source, byte* destination, Shape space, long block, bool isColumnRowDepth, bool toSpace)
    {
        long channels = space[1], height = space[2] / block, width = space[3] / block, plane = height * width;
        (long channelStep, long rowStep, long columnStep) = isColumnRowDepth ? (block * block, block, 1L) : (1L, block * channels, channels);
        // Order of the large tensor: n, c, h, row in block, w, column in block.
        ReadOnlySpan<(long Length, long Depth, long Space)> axes =
        [
            (space[0], channels * block * block * plane, channels * space[2] * space[3]),
            (channels, channelStep * plane, space[2] * space[3]),
            (height, width, block * space[3]),
            (block, rowStep * plane, space[3]),
            (width, 1, block),
            (block, columnStep * plane, 1),
        ];
        Span<CopyAxis> copy = stackalloc CopyAxis[axes.Length];
        for (int i = 0; i < copy.Length; i++)
        {
            (long length, long depth, long place) = toSpace ? axes[i] : axes[DepthOrder[i]];
            copy[i] = toSpace ? new(length, depth, place) : new(length, place, depth);
        }
        StridedCopy.Run(node, type, source, destination, copy);
    }
}
