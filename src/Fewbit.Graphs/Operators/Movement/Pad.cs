using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>What lies beyond the border of a padded tensor.</summary>
internal enum PadMode
{
    Constant,
    Reflect,
    Edge,
    Wrap,
}

/// <summary>ONNX Pad, opset 19: elements added (or cut where negative) before and after each dimension.</summary>
internal sealed record Pad(PadMode Mode) : ICompiledOperator, IDifferentiable
{
    public static Pad Parse(Node node) => new(ParseMode(node));

    public static PadMode ParseMode(Node node) => node.String("mode", "constant") switch
    {
        "constant" => PadMode.Constant,
        "reflect" => PadMode.Reflect,
        "edge" => PadMode.Edge,
        "wrap" => PadMode.Wrap,
        var other => throw node.Fail($"mode is '{other}', expected constant, reflect, edge or wrap"),
    };

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 4);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            bool areKnown = context.InputInts(1) is not null && (!context.HasInput(3) || context.InputInts(3) is not null);
            shape = areKnown ? Padded(context, input) : SymbolicShape.OfRank(input.Rank);
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        ElementDispatch.Word(context.Node, context.Input(0).Type, new Action(context, Mode));
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        if (context.Needs(2) && Mode == PadMode.Constant)
        {
            Value shows = context.Input(0).Filled(1).Apply("Pad", context.Input(1), null, context.Node.Input(3));
            context.SetInputGradient(2, (gradient * (1f - shows)).SumToShapeOf(context.Input(2)));
        }
        if (!context.Needs(0)) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "PadGradient", ModeOf(context.Node), context.Input(0), context.Node.Input(1), context.Node.Input(3)));
    }

    public IKernel? Compile(CompilationContext context)
    {
        if (Mode != PadMode.Constant || context.InputType(0).IsPacked() || ConstantPads(context, 1, 3, context.InputShape(0).Rank) is not { } pads) return null;
        (CopyAxis[] axes, long from, long to) = Geometry(context.InputShape(0), context.OutputShape(0), pads, isReversed: false);
        return new StridedCopyKernel(axes, from, to, fills: true, fillInput: 2);
    }

    /// <summary>The pads of a node in a plan; null where they are not constant.</summary>
    internal static long[]? ConstantPads(CompilationContext context, int padsInput, int axesInput, int rank)
    {
        if (context.Constant(padsInput) is not { } pads || (context.HasInput(axesInput) && context.Constant(axesInput) is null)) return null;
        return ReadPads(context.Node, context.Node.ReadInts(pads), context.Constant(axesInput) is { } axes ? context.Node.ReadInts(axes) : null, rank);
    }

    /// <summary>Lengths and steps of the copy of what remains of <paramref name="input"/> into <paramref name="output"/>, or back, and the first elements in both.</summary>
    internal static (CopyAxis[] Axes, long From, long To) Geometry(Shape input, Shape output, long[] pads, bool isReversed)
    {
        int rank = input.Rank;
        var axes = new CopyAxis[rank];
        long stepIn = 1, stepOut = 1, firstIn = 0, firstOut = 0;
        for (int axis = rank - 1; axis >= 0; axis--)
        {
            long before = pads[axis], cutBefore = Math.Max(0, -before), length = Math.Max(0, input[axis] - cutBefore - Math.Max(0, -pads[rank + axis]));
            axes[axis] = isReversed ? new(length, stepOut, stepIn) : new(length, stepIn, stepOut);
            firstIn += cutBefore * stepIn;
            firstOut += Math.Max(0, before) * stepOut;
            stepIn *= input[axis];
            stepOut *= output[axis];
        }
        return isReversed ? (axes, firstOut, firstIn) : (axes, firstIn, firstOut);
    }

    internal static Attributes ModeOf(Node node) => new() { { "mode", node.String("mode", "constant") } };

    /// <summary>Elements added before and after each dimension, 2 · rank numbers: begins, then ends.</summary>
    internal static long[] ReadPads(Node node, long[] pads, long[]? axes, int rank)
    {
        int count = axes?.Length ?? rank;
        node.Expect(pads.Length == 2 * count, $"has {pads.Length} pads, expected {2 * count}: a begin and an end for each of {count} axes");
        var all = new long[2 * rank];
        for (int i = 0; i < count; i++)
        {
            int axis = axes is null ? i : node.Axis(axes[i], rank, "an axis");
            (all[axis], all[rank + axis]) = (pads[i], pads[count + i]);
        }
        return all;
    }

    /// <summary>For each place of a padded dimension the element that it shows; -1 for the constant.</summary>
    internal static int[] Map(Node node, PadMode mode, long length, long before, long after)
    {
        var map = new int[length + before + after];
        bool needsElements = mode != PadMode.Constant && map.Length > 0;
        node.Expect(!needsElements || length > 0, $"pads a dimension of length 0 in mode {mode}");
        node.Expect(mode != PadMode.Reflect || length > 1 || (before <= 0 && after <= 0), $"reflects a dimension of length {length} by {before} and {after}, expected length 2 or more");
        for (int i = 0; i < map.Length; i++)
        {
            long at = i - before;
            map[i] = (int)(at >= 0 && at < length ? at : mode switch
            {
                PadMode.Constant => -1,
                PadMode.Edge => Math.Clamp(at, 0, length - 1),
                PadMode.Wrap => (at % length + length) % length,
                _ => Reflected(at, length),
            });
        }
        return map;
    }

    private static long Reflected(long at, long length)
    {
        long period = 2 * (length - 1), phase = (at % period + period) % period;
        return phase < length ? phase : period - phase;
    }

    private static SymbolicShape Padded(InferenceContext context, SymbolicShape input)
    {
        long[] pads = ReadPads(context.Node, context.InputInts(1)!, context.InputInts(3), input.Rank);
        for (int axis = 0; axis < input.Rank; axis++)
        {
            long added = pads[axis] + pads[input.Rank + axis];
            context.Node.Expect(!input[axis].IsKnown || input[axis].Length + added >= 0, $"cuts {-added} elements of dimension {axis} of {input}");
            if (added != 0) input = input.With(axis, input[axis].IsKnown ? input[axis].Length + added : Dim.Unknown);
        }
        return input;
    }

    internal static long[] ReadPads(EvaluationContext context, int padsInput, int axesInput, int rank) => ReadPads(context.Node, context.Node.ReadInts(context.Input(padsInput)),
        context.FindInput(axesInput) is { } axes ? context.Node.ReadInts(axes) : null, rank);

    private readonly struct Action(EvaluationContext context, PadMode mode) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
            long[] pads = ReadPads(context, 1, 3, input.Rank);
            if (mode == PadMode.Constant) Fill<T>(input, output, pads);
            else Index<T>(input, output, pads);
            GC.KeepAlive(context);
        }

        private unsafe void Fill<T>(Tensor input, Tensor output, long[] pads) where T : unmanaged
        {
            T value = default;
            if (context.FindInput(2) is { } constant)
            {
                context.Node.Expect(constant.Type == input.Type && constant.ElementCount == 1, $"pads {input} with {constant}, expected one {input.Type.Name()} number");
                value = *(T*)constant.Address;
            }
            new Span<T>(output.Address, checked((int)output.ElementCount)).Fill(value);
            (CopyAxis[] axes, long from, long to) = Geometry(input.Shape, output.Shape, pads, isReversed: false);
            StridedCopy.Run(context.Node, input.Type, (byte*)((T*)input.Address + from), (byte*)((T*)output.Address + to), axes);
        }

        private unsafe void Index<T>(Tensor input, Tensor output, long[] pads) where T : unmanaged
        {
            T* from = (T*)input.Address, to = (T*)output.Address;
            var walk = new PadWalk(context.Node, mode, input.Shape, pads);
            for (long i = 0; i < output.ElementCount; i++) to[i] = from[walk.Next()];
        }
    }
}

/// <summary>Walks the elements of a padded tensor and says which element of the original each shows; -1 for the constant.</summary>
internal sealed class PadWalk
{
    private readonly int[][] _maps;
    private readonly long[] _steps;
    private readonly int[] _position;

    public PadWalk(Node node, PadMode mode, Shape shape, long[] pads)
    {
        _maps = [.. Enumerable.Range(0, shape.Rank).Select(axis => Pad.Map(node, mode, shape[axis], pads[axis], pads[shape.Rank + axis]))];
        _steps = shape.Strides();
        _position = new int[shape.Rank];
    }

    public long Next()
    {
        long at = 0;
        for (int axis = 0; axis < _maps.Length; axis++)
        {
            int index = _maps[axis][_position[axis]];
            at = index < 0 || at < 0 ? -1 : at + index * _steps[axis];
        }
        for (int axis = _maps.Length - 1; axis >= 0; axis--)
        {
            if (++_position[axis] < _maps[axis].Length) break;
            _position[axis] = 0;
        }
        return at;
    }
}

/// <summary>Gradient of Pad: adds each element of input 0 to the one it shows, in a tensor like input 1; then pads and axes.</summary>
internal sealed record PadGradient(PadMode Mode) : ICompiledOperator, IDifferentiable
{
    public static PadGradient Parse(Node node) => new(Pad.ParseMode(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 4);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, Mode));

    public IKernel? Compile(CompilationContext context)
    {
        Shape whole = context.OutputShape(0);
        if (Mode != PadMode.Constant || Pad.ConstantPads(context, 2, 3, whole.Rank) is not { } pads) return null;
        (CopyAxis[] axes, long from, long to) = Pad.Geometry(whole, context.InputShape(0), pads, isReversed: true);
        return new StridedCopyKernel(axes, from, to, fills: true);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("Pad", Pad.ModeOf(context.Node), context.Node.Input(2), null, context.Node.Input(3)));
    }

    private readonly struct Action(EvaluationContext context, PadMode mode) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor output = context.Output(0);
            Span<T> from = context.Input(0).Span<T>(), to = output.Span<T>();
            to.Clear();
            var walk = new PadWalk(context.Node, mode, output.Shape, Pad.ReadPads(context, 2, 3, output.Rank));
            for (int i = 0; i < from.Length; i++)
            {
                int at = (int)walk.Next();
                if (at >= 0) to[at] += from[i];
            }
        }
    }
}
