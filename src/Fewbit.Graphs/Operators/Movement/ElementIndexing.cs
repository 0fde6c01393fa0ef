using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>For each place of an index tensor the element of a data tensor that it names: the same place, but for one axis.</summary>
internal ref struct ElementPlaces
{
    private readonly Node _node;
    private readonly ReadOnlySpan<long> _lengths;
    private readonly long[] _steps;
    private readonly long[] _position;
    private readonly int _axis;
    private readonly long _axisLength;
    private readonly IndexList _indices;
    private long _base;
    private int _at;

    public ElementPlaces(Node node, Shape data, Tensor indices, int axis)
    {
        _lengths = indices.Shape.Dims;
        (_node, _steps, _axis, _axisLength) = (node, data.Strides(), axis, data[axis]);
        _position = new long[indices.Rank];
        _indices = Indices.Read(indices);
        for (int i = 0; i < data.Rank; i++)
        {
            node.Expect(i == axis || indices.Shape[i] <= data[i], $"indexes data of shape {data} along axis {axis} by indices of shape {indices.Shape}, expected no longer dimension {i}");
        }
    }

    public long Next()
    {
        long at = _base + Indices.Resolve(_node, _indices[_at++], _axisLength) * _steps[_axis];
        for (int axis = _lengths.Length - 1; axis >= 0; axis--)
        {
            long step = axis == _axis ? 0 : _steps[axis];
            _base += step;
            if (++_position[axis] < _lengths[axis]) break;
            _base -= step * _lengths[axis];
            _position[axis] = 0;
        }
        return at;
    }
}

/// <summary>ONNX GatherElements, opset 13: for each index the element at the same place, but for the axis, where the index says it.</summary>
internal sealed record GatherElements(long Axis) : IDifferentiable
{
    public static GatherElements Parse(Node node) => new(node.Int("axis", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectType(1, type => type is ElementType.Int64 or ElementType.Int32, "int64 or int32 indices");
        if (context.InputShape(0) is { } data)
        {
            context.Node.Axis(Axis, data.Rank);
            context.Node.Expect(context.InputShape(1) is not { } indices || indices.Rank == data.Rank, $"indexes data of shape {data} by indices of shape {context.InputShape(1)}, expected one rank");
        }
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        ElementDispatch.Word(context.Node, context.Input(0).Type, new Action(context, Axis));
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, context.Input(0).Filled(0).Apply("ScatterElements", new Attributes { { "axis", Axis }, { "reduction", "add" } }, context.Input(1), gradient));
    }

    private readonly unsafe struct Action(EvaluationContext context, long axis) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            (Tensor data, Tensor output) = (context.Input(0), context.Output(0));
            if (output.ElementCount == 0) return;
            var places = new ElementPlaces(context.Node, data.Shape, context.Input(1), context.Node.Axis(axis, data.Rank));
            T* from = (T*)data.Address, to = (T*)output.Address;
            for (long i = 0; i < output.ElementCount; i++) to[i] = from[places.Next()];
            GC.KeepAlive(context);
        }
    }
}

/// <summary>What a scatter does where an element lies already.</summary>
internal enum ScatterReduction
{
    None,
    Add,
    Mul,
    Min,
    Max,
}

/// <summary>ONNX ScatterElements, opset 18: a copy of the data with updates at the places that the indices name.</summary>
internal sealed record ScatterElements(long Axis, ScatterReduction Reduction) : IDifferentiable
{
    public static ScatterElements Parse(Node node) => new(node.Int("axis", 0), ParseReduction(node));

    public static ScatterReduction ParseReduction(Node node) => node.String("reduction", "none") switch
    {
        "none" => ScatterReduction.None,
        "add" => ScatterReduction.Add,
        "mul" => ScatterReduction.Mul,
        "min" => ScatterReduction.Min,
        "max" => ScatterReduction.Max,
        var other => throw node.Fail($"reduction is '{other}', expected none, add, mul, min or max"),
    };

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.ExpectType(1, type => type is ElementType.Int64 or ElementType.Int32, "int64 or int32 indices");
        context.ExpectOneType(0, 2);
        if (context.InputShape(0) is { } data)
        {
            context.Node.Axis(Axis, data.Rank);
            context.Node.Expect(context.InputShape(1) is not { } indices || indices.Rank == data.Rank, $"indexes data of shape {data} by indices of shape {context.InputShape(1)}, expected one rank");
        }
        bool fits = context.InputShape(1) is not { } places || context.InputShape(2) is not { IsKnown: true } updates || places.Matches(updates.ToShape());
        context.Node.Expect(fits, $"has updates of shape {context.InputShape(2)} for indices of shape {context.InputShape(1)}");
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this) || (Reduction != ScatterReduction.None && Converted.ThroughFloat32(context, this))) return;
        if (!context.Input(0).IsAt(context.Output(0))) context.Input(0).CopyTo(context.Output(0));
        if (context.Input(1).ElementCount == 0) return;
        if (Reduction == ScatterReduction.None) ElementDispatch.Word(context.Node, context.Input(0).Type, new WordAction(context, Axis));
        else ElementDispatch.Number(context.Node, context.Input(0).Type, new NumberAction(context, Axis, Reduction));
    }

    public void Gradient(GradientContext context)
    {
        Value indices = context.Input(1);
        new ScatterGradients(Reduction, data => data.Apply("GatherElements", new Attributes { { "axis", Axis } }, indices),
            (data, updates, reduction) => data.Apply("ScatterElements", new Attributes { { "axis", Axis }, { "reduction", reduction } }, indices, updates)).Apply(context);
    }

    internal static T Combine<T>(ScatterReduction reduction, T old, T update) where T : INumber<T> => reduction switch
    {
        ScatterReduction.Add => old + update,
        ScatterReduction.Mul => old * update,
        ScatterReduction.Min => T.Min(old, update),
        _ => T.Max(old, update),
    };

    private readonly unsafe struct WordAction(EvaluationContext context, long axis) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            Tensor output = context.Output(0), updates = context.Input(2);
            var places = new ElementPlaces(context.Node, output.Shape, context.Input(1), context.Node.Axis(axis, output.Rank));
            T* from = (T*)updates.Address, to = (T*)output.Address;
            for (long i = 0; i < updates.ElementCount; i++) to[places.Next()] = from[i];
            GC.KeepAlive(context);
        }
    }

    private readonly unsafe struct NumberAction(EvaluationContext context, long axis, ScatterReduction reduction) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Tensor output = context.Output(0), updates = context.Input(2);
            var places = new ElementPlaces(context.Node, output.Shape, context.Input(1), context.Node.Axis(axis, output.Rank));
            T* from = (T*)updates.Address, to = (T*)output.Address;
            for (long i = 0; i < updates.ElementCount; i++)
            {
                T* place = to + places.Next();
                *place = Combine(reduction, *place, from[i]);
            }
            GC.KeepAlive(context);
        }
    }
}
