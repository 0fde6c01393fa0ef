using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX NonZero: the places of elements other than 0, one column each, in the order of memory.</summary>
internal sealed record NonZero : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, ElementType.Int64, context.InputShape(0) is { } input ? [input.Rank, Dim.Unknown] : SymbolicShape.OfRank(2));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor input = context.Input(0), flags = Casting.Convert(input, ElementType.Bool);
        Span<bool> isSet = flags.Span<bool>();
        int count = isSet.Length - isSet.Count(false);
        Tensor places = Tensor.AllocateUninitialized(ElementType.Int64, [input.Rank, count]);
        Span<long> result = places.Span<long>();
        int at = 0;
        for (int i = 0; i < isSet.Length; i++)
        {
            if (!isSet[i]) continue;
            long rest = i;
            for (int axis = input.Rank - 1; axis >= 0; axis--) (rest, result[axis * count + at]) = Math.DivRem(rest, input.Shape[axis]);
            at++;
        }
        context.Provide(0, places);
    }
}

/// <summary>ONNX Compress: the items of an axis (or the elements of all) for which the condition is true.</summary>
internal sealed record Compress(long? Axis) : IDifferentiable
{
    public static Compress Parse(Node node) => new(node.Attributes.Contains("axis") ? node.Int("axis") : null);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectType(1, type => type == ElementType.Bool, "a bool condition");
        SymbolicShape? shape = Axis is null ? SymbolicShape.OfRank(1)
            : context.InputShape(0) is { } input ? input.With(context.Node.Axis(Axis.Value, input.Rank), Dim.Unknown) : null;
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        Tensor input = context.Input(0);
        if (Axis is null) input = input.Reshape([input.ElementCount]);
        int axis = context.Node.Axis(Axis ?? 0, input.Rank);
        Span<bool> condition = context.Input(1).Span<bool>();
        context.Node.Expect(condition.Length <= input.Shape[axis], $"has {condition.Length} conditions for {input.Shape[axis]} items");
        Tensor output = Tensor.AllocateUninitialized(input.Type, input.Shape.With(axis, condition.Length - condition.Count(false)));
        long itemBytes = input.Shape.CountOf(axis + 1, input.Rank) * (input.Type.BitWidth() / 8);
        byte* to = output.Address;
        for (long outer = 0; outer < input.Shape.CountOf(0, axis); outer++)
        {
            byte* from = input.Address + outer * input.Shape[axis] * itemBytes;
            for (int i = 0; i < condition.Length; i++, from += itemBytes)
            {
                if (!condition[i]) continue;
                Buffer.MemoryCopy(from, to, itemBytes, itemBytes);
                to += itemBytes;
            }
        }
        context.Provide(0, output);
        GC.KeepAlive(context);
    }

    /// <summary>As of Gather, with the places at which the condition holds.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0), places = context.Input(1).Apply("NonZero").To(-1), whole = Axis is null ? x.To(-1) : x;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "GatherGradient", new() { { "axis", Axis ?? 0 } }, whole, places).ToShapeOf(x));
    }
}

/// <summary>ONNX Unique, opset 11: each different element (or item of an axis) once, its first place, the inverse, and how often it is there.</summary>
internal sealed record Unique(long? Axis, bool IsSorted) : IDifferentiable
{
    public static Unique Parse(Node node) => new(node.Attributes.Contains("axis") ? node.Int("axis") : null, node.Int("sorted", 1) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = Axis is null ? SymbolicShape.OfRank(1)
            : context.InputShape(0) is { } input ? input.With(context.Node.Axis(Axis.Value, input.Rank), Dim.Unknown) : null;
        context.SetOutput(0, context.InputType(0), shape);
        for (int i = 1; i < 4; i++) context.SetOutput(i, ElementType.Int64, SymbolicShape.OfRank(1));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this) || Converted.ThroughBytes(context, this)) return;
        ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context, this));
    }

    /// <summary>To the first place of each element: Unique itself says which.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        var attributes = new Attributes { { "sorted", IsSorted } };
        if (Axis is { } axis) attributes.Add("axis", axis);
        Value x = context.Input(0), whole = Axis is null ? x.To(-1) : x;
        Value firsts = context.Node.Outputs.Count > 1 ? context.Output(1) : context.Graph.AddNode("Unique", [x], attributes, outputs: 2).Outputs[1];
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "GatherGradient", new() { { "axis", Axis ?? 0 } }, whole, firsts).ToShapeOf(x));
    }

    private readonly struct Action(EvaluationContext context, Unique settings) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor input = context.Input(0);
            if (settings.Axis is null) input = input.Reshape([input.ElementCount]);
            int axis = context.Node.Axis(settings.Axis ?? 0, input.Rank);
            T[][] items = Items<T>(input, axis);
            var order = Enumerable.Range(0, items.Length).ToArray();
            Array.Sort(order, (a, b) => Compare(items[a], items[b]) is var sign && sign != 0 ? sign : a.CompareTo(b));
            var firsts = new List<int>();
            var groupOf = new int[items.Length];
            foreach (int item in order)
            {
                if (firsts.Count == 0 || Compare(items[firsts[^1]], items[item]) != 0) firsts.Add(item);
                groupOf[item] = firsts.Count - 1;
            }
            if (!settings.IsSorted)
            {
                int[] byPlace = [.. Enumerable.Range(0, firsts.Count).OrderBy(group => firsts[group])];
                var rank = new int[byPlace.Length];
                for (int i = 0; i < byPlace.Length; i++) rank[byPlace[i]] = i;
                for (int i = 0; i < groupOf.Length; i++) groupOf[i] = rank[groupOf[i]];
                firsts.Sort();
            }
            var counts = new long[firsts.Count];
            foreach (int group in groupOf) counts[group]++;
            context.Provide(0, Joined(input, axis, [.. firsts.Select(first => items[first])]));
            context.Provide(1, Tensor.From<long>([.. firsts.Select(first => (long)first)]));
            context.Provide(2, Tensor.From<long>(Array.ConvertAll(groupOf, group => (long)group)));
            context.Provide(3, Tensor.From<long>(counts));
        }

        private static T[][] Items<T>(Tensor input, int axis) where T : unmanaged
        {
            int outer = (int)input.Shape.CountOf(0, axis), length = (int)input.Shape[axis], inner = (int)input.Shape.CountOf(axis + 1, input.Rank);
            Span<T> x = input.Span<T>();
            var items = new T[length][];
            for (int i = 0; i < length; i++)
            {
                items[i] = new T[outer * inner];
                for (int o = 0; o < outer; o++) x.Slice((o * length + i) * inner, inner).CopyTo(items[i].AsSpan(o * inner));
            }
            return items;
        }

        private static Tensor Joined<T>(Tensor input, int axis, T[][] items) where T : unmanaged
        {
            Tensor output = Tensor.AllocateUninitialized(input.Type, input.Shape.With(axis, items.Length));
            int outer = (int)input.Shape.CountOf(0, axis), inner = (int)input.Shape.CountOf(axis + 1, input.Rank);
            Span<T> y = output.Span<T>();
            for (int i = 0; i < items.Length; i++)
            {
                for (int o = 0; o < outer; o++) items[i].AsSpan(o * inner, inner).CopyTo(y[((o * items.Length + i) * inner)..]);
            }
            return output;
        }

        private static int Compare<T>(T[] a, T[] b) where T : IComparable<T> => a.AsSpan().SequenceCompareTo(b);
    }
}

/// <summary>ONNX ReverseSequence: the first elements of each sequence of a batch in reverse order.</summary>
internal sealed record ReverseSequence(long BatchAxis, long TimeAxis) : IDifferentiable
{
    public static ReverseSequence Parse(Node node) => new(node.Int("batch_axis", 1), node.Int("time_axis", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        bool areAxes = (BatchAxis, TimeAxis) is (0, 1) or (1, 0) && context.InputShape(0) is null or { Rank: >= 2 };
        context.Node.Expect(areAxes, $"batch_axis is {BatchAxis} and time_axis {TimeAxis} for {context.Node.Input(0)}, expected 0 and 1 of a tensor of rank 2 or more");
        context.InferLikeInput();
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        long[] lengths = context.Node.ReadInts(context.Input(1));
        long batches = input.Shape[(int)BatchAxis], steps = input.Shape[(int)TimeAxis], itemBytes = input.Shape.CountOf(2, input.Rank) * (input.Type.BitWidth() / 8);
        context.Node.Expect(lengths.Length == batches, $"has {lengths.Length} sequence lengths for a batch of {batches}");
        for (long b = 0; b < batches; b++)
        {
            context.Node.Expect(lengths[b] >= 0 && lengths[b] <= steps, $"reverses {lengths[b]} of {steps} steps");
            for (long t = 0; t < steps; t++)
            {
                long from = t < lengths[b] ? lengths[b] - 1 - t : t;
                Buffer.MemoryCopy(input.Address + At(b, from) * itemBytes, output.Address + At(b, t) * itemBytes, itemBytes, itemBytes);
            }
        }
        GC.KeepAlive(context);

        long At(long batch, long time) => BatchAxis == 0 ? batch * steps + time : time * batches + batch;
    }

    /// <summary>Reversed once more each sequence is what it was.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("ReverseSequence", new Attributes { { "batch_axis", BatchAxis }, { "time_axis", TimeAxis } }, context.Input(1)));
    }
}
