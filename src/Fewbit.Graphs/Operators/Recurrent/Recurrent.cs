using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Which cell a recurrent node has.</summary>
internal enum Cell
{
    /// <summary>One gate: H = f(X W' + H R' + b).</summary>
    Rnn = 1,

    /// <summary>Three gates: z, r, h.</summary>
    Gru = 3,

    /// <summary>Four gates: i, o, f, c.</summary>
    Lstm = 4,
}

/// <summary>ONNX RNN, GRU and LSTM, opset 14: x [T, N, I] to y [T, D, N, H], D directions; layout 1 puts the batch first.</summary>
/// <param name="Cell">Which one.</param>
/// <param name="HiddenSize">H; 0: as the recurrent weight says.</param>
/// <param name="Direction">forward, reverse or bidirectional.</param>
/// <param name="Activations">Three (LSTM), two (GRU) or one (RNN) a direction.</param>
/// <param name="Clip">Bound of what an activation takes; infinite without one.</param>
/// <param name="BatchFirst">Layout 1.</param>
/// <param name="Variant">LSTM: input and forget gate are coupled (input_forget). GRU: the reset gate acts after the product (linear_before_reset).</param>
internal sealed record Recurrent(Cell Cell, long HiddenSize, string Direction, RecurrentActivation[] Activations, float Clip, bool BatchFirst, bool Variant) : ICompiledOperator, IDifferentiable
{
    public const int Bias = 3, Lengths = 4, InitialHidden = 5, InitialCell = 6, Peepholes = 7;

    /// <summary>Output of an LSTM, beyond those of ONNX, that its gradient rule adds: what the steps leave for the way back.</summary>
    public const int LstmTrace = 3;

    public int Directions => Direction == "bidirectional" ? 2 : 1;

    public int Gates => (int)Cell;

    public static Recurrent Parse(Node node, Cell cell)
    {
        string direction = node.String("direction", "forward");
        node.Expect(direction is "forward" or "reverse" or "bidirectional", $"direction is '{direction}', expected forward, reverse or bidirectional");
        float clip = node.Float("clip", float.PositiveInfinity);
        long variant = cell == Cell.Lstm ? node.Int("input_forget", 0) : cell == Cell.Gru ? node.Int("linear_before_reset", 0) : 0;
        int directions = direction == "bidirectional" ? 2 : 1;
        return new(cell, node.Int("hidden_size", 0), direction, RecurrentActivation.Parse(node, cell, directions), clip == 0 ? float.PositiveInfinity : clip, node.Int("layout", 0) != 0, variant != 0);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, Cell == Cell.Lstm ? 8 : 6);
        ElementType type = context.InputType(0);
        (SymbolicShape? x, SymbolicShape? w, SymbolicShape? r) = (context.InputShape(0), context.InputShape(1), context.InputShape(2));
        if (r is not null) node.Expect(r.Rank == 3, $"R has shape {r}, expected [D, {Gates} * H, H]");
        if (x is not null) node.Expect(x.Rank == 3, $"x has shape {x}, expected {(BatchFirst ? "[N, T, I]" : "[T, N, I]")}");
        Dim hidden = HiddenSize > 0 ? HiddenSize : r is null ? Dim.Unknown : r[2];
        if (x is not null && w is not null) ExpectShape(node, "W", w, [Directions, hidden * Gates, x[2]]);
        if (r is not null) ExpectShape(node, "R", r, [Directions, hidden * Gates, hidden]);
        if (context.HasInput(Bias) && context.InputShape(Bias) is { } b) ExpectShape(node, "B", b, [Directions, hidden * (2 * Gates)]);
        (Dim steps, Dim batch) = x is null ? (Dim.Unknown, Dim.Unknown) : BatchFirst ? (x[1], x[0]) : (x[0], x[1]);
        SymbolicShape state = BatchFirst ? [batch, Directions, hidden] : [Directions, batch, hidden];
        if (context.HasInput(InitialHidden) && context.InputShape(InitialHidden) is { } h) ExpectShape(node, "initial_h", h, state);
        if (Cell == Cell.Lstm && context.HasInput(InitialCell) && context.InputShape(InitialCell) is { } c) ExpectShape(node, "initial_c", c, state);
        if (Cell == Cell.Lstm && context.HasInput(Peepholes) && context.InputShape(Peepholes) is { } p) ExpectShape(node, "P", p, [Directions, hidden * 3]);
        if (context.HasInput(Lengths))
        {
            context.ExpectType(Lengths, length => length == ElementType.Int32, "int32 lengths");
            if (context.InputShape(Lengths) is { } lengths) ExpectShape(node, "sequence_lens", lengths, [batch]);
        }
        context.SetOutput(0, type, BatchFirst ? [batch, steps, Directions, hidden] : [steps, Directions, batch, hidden]);
        context.SetOutput(1, type, state);
        if (Cell != Cell.Lstm) return;
        context.SetOutput(2, type, state);
        context.SetOutput(LstmTrace, type, [Directions, 5, steps, batch, hidden]);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        RecurrentShape shape = ShapeOf(context.InputShape(0), context.InputShape(2));
        return (context.InputType(0), Cell) switch
        {
            (ElementType.Float32, Cell.Lstm) => new LstmKernel<float>(this, shape, context.Constant(1), context.Constant(2)),
            (ElementType.Float64, Cell.Lstm) => new LstmKernel<double>(this, shape, null, null),
            (ElementType.Float32, _) => new RecurrentKernel<float>(this, shape, context.Constant(1), context.Constant(2)),
            (ElementType.Float64, _) => new RecurrentKernel<double>(this, shape, null, null),
            var other => context.Node.NoKernel(other.Item1),
        };
    }

    /// <summary>The lengths that x and R state.</summary>
    public RecurrentShape ShapeOf(Shape x, Shape r) => new((int)(BatchFirst ? x[1] : x[0]), (int)(BatchFirst ? x[0] : x[1]), (int)x[2], (int)r[2], Directions, BatchFirst);

    public void Gradient(GradientContext context)
    {
        bool isNative = Cell == Cell.Lstm && float.IsInfinity(Clip) && Activations.All(activation => activation.HasSlopeOfResult) && context.Input(0).Type is (ElementType.Float32 or ElementType.Float64);
        if (isNative) LstmGradient.Add(this, context);
        else CompositeGradient.Apply(context, inputs => RecurrentSpelling.SpellOut(this, context.Node, inputs));
    }

    private static void ExpectShape(Node node, string name, SymbolicShape found, SymbolicShape expected)
    {
        bool fits = found.Rank == expected.Rank;
        for (int i = 0; fits && i < found.Rank; i++) fits = found[i].MayEqual(expected[i]);
        node.Expect(fits, $"{name} has shape {found}, expected {expected}");
    }
}

/// <summary>The lengths of a recurrent node, and where its rows lie.</summary>
internal readonly record struct RecurrentShape(int Steps, int Batch, int Input, int Hidden, int Directions, bool BatchFirst)
{
    /// <summary>Rows of one step that one thread takes at a time.</summary>
    public int RowsPerChunk => Math.Max(1, 2048 / Math.Max(1, Hidden));

    /// <summary>Rows from one item of the batch to the next.</summary>
    public int RowStep => BatchFirst ? Steps : 1;

    /// <summary>Row of an item and step in x [T, N, I] or [N, T, I].</summary>
    public int RowOf(int t, int n) => BatchFirst ? n * Steps + t : t * Batch + n;

    /// <summary>First element of an item and step in y.</summary>
    public long OutputAt(int t, int direction, int n) => (BatchFirst ? (long)RowOf(t, n) * Directions + direction : ((long)t * Directions + direction) * Batch + n) * Hidden;

    /// <summary>First element of an item in a state.</summary>
    public int StateAt(int direction, int n) => (BatchFirst ? n * Directions + direction : direction * Batch + n) * Hidden;
}
