using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Detection;

/// <summary>A pooling of regions that is linear once x and the regions are known: which elements each output sums, and their weights.</summary>
internal interface IRegionPool : IOperator
{
    int OutHeight { get; }

    int OutWidth { get; }

    /// <summary>Visits output, element of x and weight of every term of the sums.</summary>
    void ForEachTerm<T>(Node node, Tensor x, Tensor regions, Tensor? batch, RegionTerm visit) where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

/// <summary>One term of a sum.</summary>
internal delegate void RegionTerm(int output, int element, double weight);

/// <summary>ai.fewbit RegionScatter(v, x, regions, batch items): to each element of x what v has at the outputs that it counts in; RegionGather: the other way, from v of x's shape. Each is the other's gradient, and the first that of the pooling.</summary>
/// <param name="Pool">RoiAlign or MaxRoiPool.</param>
/// <param name="Scatters">The direction.</param>
internal sealed record RegionRoute(IRegionPool Pool, bool Scatters) : IDifferentiable
{
    private const int Image = 1, Regions = 2, BatchItems = 3;

    public static RegionRoute Parse(Node node, bool scatters) => new(node.Attributes.Contains("pooled_shape") ? MaxRoiPool.Parse(node) : RoiAlign.Parse(node, node.String("coordinates")), scatters);

    /// <summary>The node that is the gradient of a pooling.</summary>
    public static void Gradient(GradientContext context, Attributes attributes)
    {
        context.Node.Expect(!context.Needs(1), $"has no gradient rule for its regions");
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "RegionScatter", attributes, [.. context.Node.Inputs]));
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 4);
        context.SetOutput(0, context.InputType(0), Scatters ? context.InputShape(Image)
            : [context.InputShape(Regions)?[0] ?? Dim.Unknown, context.InputShape(Image)?[1] ?? Dim.Unknown, Pool.OutHeight, Pool.OutWidth]);
    }

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, Scatters ? "RegionGather" : "RegionScatter", context.Node.Attributes.Clone(body => body), [.. context.Node.Inputs.Skip(1)]));
    }

    private readonly struct Action(EvaluationContext context, RegionRoute settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor v = context.Input(0), result = context.Output(0);
            result.Bytes.Clear();
            bool scatters = settings.Scatters;
            settings.Pool.ForEachTerm<T>(context.Node, context.Input(Image), context.Input(Regions), context.FindInput(BatchItems), (output, element, weight) =>
            {
                Span<T> from = v.Span<T>(), to = result.Span<T>();
                to[scatters ? element : output] += T.CreateChecked(weight) * from[scatters ? output : element];
            });
        }
    }
}
