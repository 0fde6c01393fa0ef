using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX Attention, opset 23 and 24: softmax(cap(Scale * Q * K') + mask) * V by head; several query heads may share one key head.</summary>
/// <param name="QueryHeads">Heads of a query [N, L, heads * size]; 0 where it is [N, heads, L, size].</param>
/// <param name="KeyHeads">Heads of key and value of rank 3.</param>
/// <param name="Scale">Factor of the scores; 0: 1 / sqrt(size).</param>
/// <param name="SoftCap">Bound that tanh gives the scores; 0: none.</param>
/// <param name="IsCausal">Whether a query sees only keys up to its own place.</param>
/// <param name="ScoreOutput">What output 3 holds: scores (0), after the cap (1), after the mask (2), after the softmax (3).</param>
internal sealed record Attention(long QueryHeads, long KeyHeads, float Scale, float SoftCap, bool IsCausal, long ScoreOutput) : ICompiledOperator, IDifferentiable
{
    public const int Mask = 3, PastKey = 4, PastValue = 5, KeyLengths = 6;

    public static Attention Parse(Node node) => new(node.Int("q_num_heads", 0), node.Int("kv_num_heads", 0), node.Float("scale", 0), node.Float("softcap", 0),
        node.Int("is_causal", 0) != 0, node.Int("qk_matmul_output_mode", 0));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 7);
        ElementType type = context.InputType(0);
        if (context.InputShape(0) is not { } q || context.InputShape(1) is not { } k || context.InputShape(2) is not { } v)
        {
            for (int i = 0; i < node.Outputs.Count; i++) context.SetOutput(i, type, null);
            return;
        }
        node.Expect(q.Rank is 3 or 4 && k.Rank == q.Rank && v.Rank == q.Rank, $"query, key and value have shapes {q}, {k} and {v}, expected three of rank 3 or three of rank 4");
        node.Expect(q.Rank == 4 || (QueryHeads > 0 && KeyHeads > 0), $"query has rank 3, expected attributes q_num_heads and kv_num_heads");
        (Dim queries, Dim keys, Dim headSize, Dim valueSize) = q.Rank == 4 ? (q[2], k[2], k[3], v[3]) : (q[1], k[1], k[2].Map(length => length / KeyHeads), v[2].Map(length => length / KeyHeads));
        (Dim heads, Dim keyHeads) = q.Rank == 4 ? (q[1], k[1]) : (QueryHeads, KeyHeads);
        node.Expect(!heads.IsKnown || !keyHeads.IsKnown || (keyHeads.Length > 0 && heads.Length % keyHeads.Length == 0), $"{heads} query heads cannot share {keyHeads} key heads evenly");
        Dim past = !context.HasInput(PastKey) ? 0 : context.InputShape(PastKey) is { Rank: 4 } state ? state[2] : Dim.Unknown, total = past + keys;
        context.SetOutput(0, type, q.Rank == 4 ? [q[0], heads, queries, valueSize] : [q[0], queries, heads * valueSize]);
        context.SetOutput(1, context.InputType(1), [q[0], keyHeads, total, headSize]);
        context.SetOutput(2, context.InputType(2), [q[0], keyHeads, total, valueSize]);
        context.SetOutput(3, type, [q[0], heads, queries, total]);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        AttentionShape shape = ShapeOf(context);
        Shape? mask = context.HasInput(Mask) ? context.InputShape(Mask) : null;
        return context.InputType(0) switch
        {
            ElementType.Float32 when IsPlain(context.Node) && shape.Queries >= FloatAttentionKernel.MinQueries => new FloatAttentionKernel(this, shape, mask, context.HasInput(KeyLengths)),
            ElementType.Float32 => new AttentionKernel<float>(this, shape, mask),
            ElementType.Float64 => new AttentionKernel<double>(this, shape, mask),
            var other => context.Node.NoKernel(other),
        };
    }

    /// <summary>The lengths, checked.</summary>
    public AttentionShape ShapeOf(CompilationContext context)
    {
        (Shape q, Shape k, Shape v) = (context.InputShape(0), context.InputShape(1), context.InputShape(2));
        long past = 0;
        if (context.HasInput(PastKey))
        {
            Shape state = context.InputShape(PastKey);
            context.Node.Expect(state.Rank == 4, $"past_key has shape {state}, expected [N, heads, past, size]");
            past = state[2];
        }
        bool isSplit = q.Rank == 4;
        var shape = new AttentionShape((int)q[0], (int)(isSplit ? q[1] : QueryHeads), (int)(isSplit ? k[1] : KeyHeads), (int)(isSplit ? q[2] : q[1]), checked((int)past), (int)(isSplit ? k[2] : k[1]),
            (int)(isSplit ? q[3] : q[2] / QueryHeads), (int)(isSplit ? v[3] : v[2] / KeyHeads), isSplit);
        AttentionChecks.Run(context, shape);
        return shape;
    }

    public void Gradient(GradientContext context)
    {
        Node node = context.Node;
        if (context.Input(0).Type != ElementType.Float32 || Enumerable.Range(1, 3).Any(i => context.OutputGradient(i) is not null) || !IsPlain(node) || context.Needs(Mask))
        {
            CompositeGradient.Apply(context, inputs => AttentionSpelling.SpellOut(this, node, inputs));
            return;
        }
        Graph graph = context.Graph;
        Value?[] inputs = [node.Inputs[0], node.Inputs[1], node.Inputs[2], node.Input(Mask), null, null, node.Input(KeyLengths), context.OutputGradient()];
        var attributes = new Attributes { { "q_num_heads", QueryHeads }, { "kv_num_heads", KeyHeads }, { "scale", Scale }, { "is_causal", IsCausal } };
        Node gradient = graph.InsertNode(graph.Nodes.Count, OperatorTable.FewbitDomain, "AttentionGradient", inputs, attributes, outputs: 3);
        for (int i = 0; i < 3; i++)
        {
            if (context.Needs(i)) context.SetInputGradient(i, gradient.Outputs[i]);
        }
    }

    private bool IsPlain(Node node) => node.Outputs.Count == 1 && node.Input(PastKey) is null && node.Input(PastValue) is null && SoftCap == 0;
}

/// <summary>The lengths of an attention node.</summary>
/// <param name="Batch">N.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyHeads">Key and value heads.</param>
/// <param name="Queries">Length of the query.</param>
/// <param name="Past">Keys of earlier runs.</param>
/// <param name="Keys">Keys of this run.</param>
/// <param name="HeadSize">Size of a query or key.</param>
/// <param name="ValueSize">Size of a value.</param>
/// <param name="IsSplit">Rank 4: heads are a dimension of their own, before the sequence.</param>
internal sealed record AttentionShape(int Batch, int Heads, int KeyHeads, int Queries, int Past, int Keys, int HeadSize, int ValueSize, bool IsSplit)
{
    public int Total => Past + Keys;
}
