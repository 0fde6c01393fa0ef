using System.Numerics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// One step of gradient descent: inputs parameter, velocity, gradient, and [rate]; outputs parameter and velocity anew.
/// g' = g + WeightDecay * p; v' = Momentum * v + g'; p' = p - rate * (IsNesterov ? g' + Momentum * v' : v').
/// </summary>
/// <param name="Momentum">Share of the velocity that stays; with 0 the velocity may be left out.</param>
/// <param name="WeightDecay">Factor of the parameter that is added to its gradient.</param>
/// <param name="IsNesterov">Whether the step looks one velocity ahead.</param>
/// <remarks>As PyTorch's SGD without dampening: the velocity starts at zero and the rate is applied outside of it.</remarks>
internal sealed record SgdUpdate(float Momentum, float WeightDecay, bool IsNesterov) : IUpdateOperator
{
    public static SgdUpdate Parse(Node node)
    {
        var update = new SgdUpdate(node.Float("momentum", 0), node.Float("weight_decay", 0), node.Int("nesterov", 0) != 0);
        node.Expect(update.Momentum == 0 || node.Input(1) is not null, $"has momentum {update.Momentum}, but no velocity (input 1)");
        return update;
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 4);
        context.Node.Expect(context.Node.Input(2) is not null && context.Node.Input(3) is not null, $"has {context.Node.Inputs.Count} inputs, expected gradient and rate as inputs 2 and 3");
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
        context.SetOutput(1, context.InputType(0), context.InputShape(0));
    }

    public int UpdatedInput(int output) => output;

    public unsafe void Evaluate(EvaluationContext context)
    {
        var job = new Job
        {
            Settings = new(context.Input(3).Item<float>(), Momentum, WeightDecay, IsNesterov ? Momentum : 0, IsNesterov ? 1 : 0),
            Parameter = (float*)context.Input(0).Address,
            Velocity = context.FindInput(1) is { } velocity ? (float*)velocity.Address : null,
            Gradient = (float*)context.Input(2).Address,
            NewParameter = (float*)context.Output(0).Address,
            NewVelocity = context.HasOutput(1) ? (float*)context.Output(1).Address : null,
            Count = context.Input(0).ElementCount,
        };
        Workers.Run(Elementwise.Broadcasting.ChunksOf(job.Count), ref job);
        GC.KeepAlive(context);
    }

    /// <summary>The step is rate * (FromVelocity * v' + FromGradient * g').</summary>
    private readonly record struct Coefficients(float Rate, float Momentum, float WeightDecay, float NesterovMomentum, float FromGradient)
    {
        public float FromVelocity => FromGradient == 0 ? 1 : NesterovMomentum;
    }

    private unsafe struct Job : IJob
    {
        public Coefficients Settings;
        public float* Parameter;
        public float* Velocity;
        public float* Gradient;
        public float* NewParameter;
        public float* NewVelocity;
        public long Count;

        public readonly void Run(int chunk)
        {
            long i = (long)chunk * Elementwise.Broadcasting.ChunkLength, end = Math.Min(Count, i + Elementwise.Broadcasting.ChunkLength);
            Coefficients s = Settings;
            (float fromVelocity, float fromGradient) = (s.FromVelocity, s.FromGradient);
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> p = Vector.Load(Parameter + i), g = Vector.Load(Gradient + i) + p * s.WeightDecay;
                Vector<float> v = Velocity == null ? g : Vector.Load(Velocity + i) * s.Momentum + g;
                if (NewVelocity != null) v.Store(NewVelocity + i);
                (p - (v * fromVelocity + g * fromGradient) * s.Rate).Store(NewParameter + i);
            }
            for (; i < end; i++)
            {
                float p = Parameter[i], g = Gradient[i] + p * s.WeightDecay, v = Velocity == null ? g : Velocity[i] * s.Momentum + g;
                if (NewVelocity != null) NewVelocity[i] = v;
                NewParameter[i] = p - (v * fromVelocity + g * fromGradient) * s.Rate;
            }
        }
    }
}
