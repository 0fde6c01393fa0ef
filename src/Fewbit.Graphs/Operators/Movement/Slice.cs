using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Elements start, start + step, ... of one dimension.</summary>
/// <param name="Start">First element.</param>
/// <param name="Step">Positive or negative.</param>
/// <param name="Count">Elements taken.</param>
internal readonly record struct AxisSlice(long Start, long Step, long Count)
{
    /// <summary>Start and end as NumPy reads them: negative from the back, beyond the ends clamped.</summary>
    public static AxisSlice Of(long start, long end, long step, long length)
    {
        if (start < 0) start += length;
        if (end < 0) end = end < -length ? -1 : end + length;
        start = step > 0 ? Math.Clamp(start, 0, length) : Math.Clamp(start, -1, length - 1);
        end = step > 0 ? Math.Clamp(end, 0, length) : Math.Clamp(end, -1, length - 1);
        // As unsigned: the step may be the lowest integer.
        ulong span = step > 0 ? (ulong)Math.Max(0, end - start) : (ulong)Math.Max(0, start - end), width = step > 0 ? (ulong)step : 0 - (ulong)step;
        long count = (long)((span + width - 1) / width);
        return new(Math.Max(0, start), count > 1 ? step : 1, length == 0 ? 0 : count);
    }
}

/// <summary>ONNX Slice, opset 13: from starts to ends in steps, along the named axes.</summary>
internal sealed record Slice : ICompiledOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 5);
        SymbolicShape? input = context.InputShape(0), shape = null;
        if (input is not null) shape = Lengths(context, input);
        context.SetOutput(0, context.InputType(0), shape);
        if (input is { Rank: 1 } && context.InputDims(0) is { } elements && Bounds.Read(context) is { } bounds && bounds.Axes.Length == 1)
        {
            AxisSlice slice = bounds.Slice(context.Node, 0, elements.Length);
            context.SetOutputDims(0, [.. Enumerable.Range(0, (int)slice.Count).Select(i => elements[slice.Start + i * slice.Step])]);
        }
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        Copy(context, context.Input(0), context.Output(0), firstBound: 1, isScatter: false);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "SliceGradient", null, [context.Input(0), .. context.Node.Inputs.Skip(1)]));
    }

    public IKernel? Compile(CompilationContext context)
    {
        if (context.InputType(0).IsPacked() || Bounds.Read(context, 1) is not { } bounds) return null;
        (CopyAxis[] axes, long start) = Geometry(context.Node, bounds, context.InputShape(0), isScatter: false);
        return new StridedCopyKernel(axes, start, 0, fills: false);
    }

    /// <summary>Copies the slice of <paramref name="whole"/> to <paramref name="part"/>, or back where <paramref name="isScatter"/>.</summary>
    internal static unsafe void Copy(EvaluationContext context, Tensor whole, Tensor part, int firstBound, bool isScatter)
    {
        (CopyAxis[] axes, long start) = Geometry(context.Node, Bounds.Read(context, firstBound), whole.Shape, isScatter);
        byte* address = whole.Address + start * (whole.Type.BitWidth() / 8);
        if (isScatter) StridedCopy.Run(context.Node, whole.Type, part.Address, address, axes);
        else StridedCopy.Run(context.Node, whole.Type, address, part.Address, axes);
        GC.KeepAlive(context);
    }

    /// <summary>Lengths and steps of the copy of a slice, or of the copy back, and the first element of the slice in the whole.</summary>
    internal static (CopyAxis[] Axes, long Start) Geometry(Node node, Bounds bounds, Shape whole, bool isScatter)
    {
        int rank = whole.Rank;
        var slices = new AxisSlice[rank];
        for (int axis = 0; axis < rank; axis++) slices[axis] = new(0, 1, whole[axis]);
        for (int i = 0; i < bounds.Axes.Length; i++)
        {
            int axis = node.Axis(bounds.Axes[i], rank, "an axis");
            slices[axis] = bounds.Slice(node, i, whole[axis]);
        }
        var axes = new CopyAxis[rank];
        long step = 1, to = 1, start = 0;
        for (int axis = rank - 1; axis >= 0; axis--)
        {
            AxisSlice slice = slices[axis];
            start += slice.Start * step;
            axes[axis] = isScatter ? new(slice.Count, to, slice.Step * step) : new(slice.Count, slice.Step * step, to);
            step *= whole[axis];
            to *= slice.Count;
        }
        return (axes, start);
    }

    private static SymbolicShape Lengths(InferenceContext context, SymbolicShape input)
    {
        Node node = context.Node;
        if (Bounds.Read(context) is not { } bounds)
        {
            if (!context.HasInput(3) || context.InputInts(3) is not { } sliced) return SymbolicShape.OfRank(input.Rank);
            foreach (long axis in sliced) input = input.With(node.Axis(axis, input.Rank, "an axis"), Dim.Unknown);
            return input;
        }
        for (int i = 0; i < bounds.Axes.Length; i++)
        {
            int axis = node.Axis(bounds.Axes[i], input.Rank, "an axis");
            bool isWhole = bounds.Starts[i] == 0 && bounds.Steps[i] == 1 && bounds.Ends[i] >= int.MaxValue;
            if (!isWhole) input = input.With(axis, input[axis].IsKnown ? bounds.Slice(node, i, input[axis].Length).Count : Dim.Unknown);
        }
        return input;
    }

    /// <summary>The inputs that say what is taken.</summary>
    internal sealed record Bounds(long[] Starts, long[] Ends, long[] Axes, long[] Steps)
    {
        public static Bounds? Read(InferenceContext context)
        {
            for (int i = 1; i < context.InputCount; i++)
            {
                if (context.HasInput(i) && context.InputTensor(i) is null) return null;
            }
            return Of(context.Node, context.InputInts(1)!, context.InputInts(2)!, context.InputInts(3), context.InputInts(4));
        }

        public static Bounds Read(EvaluationContext context, int first) => Of(context.Node, Ints(context, first)!, Ints(context, first + 1)!, Ints(context, first + 2), Ints(context, first + 3));

        /// <summary>The bounds of a node in a plan; null where they are not constant.</summary>
        public static Bounds? Read(CompilationContext context, int first)
        {
            for (int i = first; i < first + 4; i++)
            {
                if (context.HasInput(i) && context.Constant(i) is null) return null;
            }
            long[]? Ints(int index) => context.Constant(index) is { } tensor ? context.Node.ReadInts(tensor) : null;
            return Of(context.Node, Ints(first)!, Ints(first + 1)!, Ints(first + 2), Ints(first + 3));
        }

        public AxisSlice Slice(Node node, int index, long length)
        {
            node.Expect(Steps[index] != 0, $"steps by 0 along axis {Axes[index]}");
            return AxisSlice.Of(Starts[index], Ends[index], Steps[index], length);
        }

        private static long[]? Ints(EvaluationContext context, int index) => context.FindInput(index) is { } tensor ? context.Node.ReadInts(tensor) : null;

        private static Bounds Of(Node node, long[] starts, long[] ends, long[]? axes, long[]? steps)
        {
            axes ??= [.. Enumerable.Range(0, starts.Length).Select(axis => (long)axis)];
            steps ??= [.. Enumerable.Repeat(1L, starts.Length)];
            node.Expect(ends.Length == starts.Length && axes.Length == starts.Length && steps.Length == starts.Length,
                $"has {starts.Length} starts, {ends.Length} ends, {axes.Length} axes and {steps.Length} steps, expected as many of each");
            return new(starts, ends, axes, steps);
        }
    }
}

/// <summary>Gradient of Slice: input 0 where it was taken from a tensor like input 1, 0 elsewhere; then starts, ends, axes, steps.</summary>
internal sealed record SliceGradient : ICompiledOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 6);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context)
    {
        context.Output(0).Bytes.Clear();
        Slice.Copy(context, context.Output(0), context.Input(0), firstBound: 2, isScatter: true);
    }

    public IKernel? Compile(CompilationContext context)
    {
        if (context.InputType(0).IsPacked() || Slice.Bounds.Read(context, 2) is not { } bounds) return null;
        (CopyAxis[] axes, long start) = Slice.Geometry(context.Node, bounds, context.OutputShape(0), isScatter: true);
        return new StridedCopyKernel(axes, 0, start, fills: true);
    }

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient.Apply("Slice", [.. context.Node.Inputs.Skip(2)]));
    }
}
