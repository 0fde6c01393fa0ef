using Fewbit.Data.Text;
using Fewbit.Data.Training;
using Fewbit.Recipes;
using Fewbit.Training;

namespace Fewbit.Tests.Recipes;

public class TrainingRecipeTests
{
    [Fact]
    public void Parse_AllKeys_AreRead()
    {
        TrainingRecipe recipe = Parse("""
            version: 1
            training:
              model: resnet20
              data: train
              tokens: words
              batch: 64
              drop-last: true
              seed: 7
              epochs: 3
              steps-per-epoch: 50
              optimizer: {name: adamw, learning-rate: 1e-3, beta2: 0.99, weight-decay: 0.1}
              schedule:
                name: multi-step
                unit: step
                milestones: [10, 20]
                warm-up-steps: 5
              groups:
                - names: "*.bias"
                  weight-decay: 0
                - vectors-only: true
                  frozen: true
              loss: {label-smoothing: 0.1}
              clip-norm: 1
              average-decay: 0.99
              keep: best
              augment: {name: cifar, mixup-alpha: 0.2}
            """);
        Assert.Equal(("resnet20", "train", 64, true, 7, VocabularyKind.Words), (recipe.Model, recipe.Data, recipe.Batch, recipe.DropsLast, recipe.Seed, recipe.Tokens));
        Assert.Equal(AugmentationOptions.Cifar with { MixupAlpha = 0.2 }, recipe.Augment);
        TrainingOptions options = recipe.Options;
        Assert.Equal(new AdamW { LearningRate = 1e-3, Beta2 = 0.99, WeightDecay = 0.1 }, options.Optimizer);
        var schedule = Assert.IsType<MultiStepSchedule>(options.Schedule);
        Assert.Equal((ScheduleUnit.Step, 5), (schedule.Unit, schedule.WarmUpSteps));
        Assert.Equal([10, 20], schedule.Milestones);
        Assert.Equal([new() { Names = "*.bias", WeightDecay = 0 }, new() { IsVectorsOnly = true, IsFrozen = true }], options.Groups);
        Assert.Equal(new() { LabelSmoothing = 0.1 }, options.Loss);
        Assert.Equal((3, 50, 1.0, 0.99, true), (options.Epochs, options.StepsPerEpoch, options.ClipNorm, options.AverageDecay, options.KeepsBest));
    }

    [Fact]
    public void Parse_NothingStated_GivesTheDefaults()
    {
        TrainingRecipe recipe = Parse("version: 1\ntraining: {model: m.onnx}");
        Assert.Equal(new Sgd(), recipe.Options.Optimizer);
        Assert.Equal(new ConstantSchedule(), recipe.Options.Schedule);
        Assert.Equal((128, 10, 0), (recipe.Batch, recipe.Options.Epochs, recipe.Seed));
    }

    [Theory]
    [InlineData("", "r.yaml: is empty, expected 'version: 1' and a section")]
    [InlineData("training: {}", "r.yaml line 1: the recipe states no version, expected 'version: 1' at its start")]
    [InlineData("version: 2\ntraining: {}", "r.yaml line 1: version is 2, this Fewbit knows version 1")]
    [InlineData("version: 1\ntrainig: {}", "r.yaml line 2: trainig is no section of a recipe; did you mean 'training'?; expected version, training, quantization")]
    [InlineData("version: 1", "r.yaml line 1: the recipe has no section 'training'")]
    [InlineData("version: 1\ntraining:\n  epoch: 3", "r.yaml line 3: training.epoch is unknown here; did you mean 'epochs'?; there are augment, average-decay, ")]
    [InlineData("version: 1\ntraining:\n  epochs: many", "r.yaml line 3: training.epochs is 'many', expected a whole number")]
    [InlineData("version: 1\ntraining:\n  epochs: 0", "r.yaml line 3: training.epochs is 0, it must be in [1, 1000000]")]
    [InlineData("version: 1\ntraining:\n  optimizer: sdg", "r.yaml line 3: training.optimizer.name is 'sdg', expected sgd, adam, adamw, rmsprop; did you mean 'sgd'?")]
    [InlineData("version: 1\ntraining:\n  optimizer:\n    name: adam\n    momentum: 0.9", "r.yaml line 5: training.optimizer.momentum is unknown here; there are beta1, beta2, epsilon, learning-rate, name, weight-decay")]
    [InlineData("version: 1\ntraining:\n  optimizer: {learning-rate: -1}", "r.yaml line 3: training.optimizer.learning-rate is -1, it must be in [0, 1000000]")]
    [InlineData("version: 1\ntraining:\n  schedule: multi-step", "r.yaml line 3: training.schedule states no milestones, such as [30, 60]")]
    [InlineData("version: 1\ntraining:\n  groups:\n    - names: a\n      decay: 1", "r.yaml line 5: training.groups[0].decay is unknown here; there are frozen, ")]
    [InlineData("version: 1\ntraining:\n  drop-last: yes", "r.yaml line 3: training.drop-last is 'yes', expected true or false")]
    [InlineData("version: 1\ntraining: {batch: 1, batch: 2}", "r.yaml line 2: states 'batch' twice")]
    [InlineData("version: 1\ntraining: &a\n  data: x", "r.yaml line 2: has an anchor, alias or tag, which recipes do not take")]
    [InlineData("version: 1\ntraining:\n  data: [", "r.yaml line ")]
    [InlineData("a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}}", "r.yaml line 1: is nested deeper than 8 levels")]
    [InlineData("version: 1\n---\nversion: 1", "r.yaml: has several documents, expected one")]
    public void Parse_Wrong_NamesFileLineAndKey(string text, string message)
    {
        var problem = Assert.Throws<InvalidDataException>(() => Parse(text));
        Assert.StartsWith(message, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Set_OverAShortForm_KeepsTheName()
    {
        RecipeMap map = RecipeFile.Parse("version: 1\ntraining: {optimizer: adam}", "r.yaml", TrainingRecipe.Section);
        map.Set("optimizer.learning-rate", "0.5", "--lr");
        Assert.Equal(new Adam { LearningRate = 0.5 }, TrainingRecipe.From(map).Options.Optimizer);
    }

    [Fact]
    public void Set_WrongValue_NamesTheOption()
    {
        RecipeMap map = RecipeMap.Empty(TrainingRecipe.Section);
        map.Set("optimizer.learning-rate", "fast", "--lr");
        Assert.Equal("--lr: training.optimizer.learning-rate is 'fast', expected a number", Assert.Throws<InvalidDataException>(() => TrainingRecipe.From(map)).Message);
    }

    /// <summary>The recipes that ship with the project are valid.</summary>
    [Fact]
    public void Load_Samples_AreValid()
    {
        string[] files = [.. Directory.GetFiles(Samples(), "*.yaml").Where(file => File.ReadAllText(file).Contains("\ntraining:", StringComparison.Ordinal))];
        Assert.NotEmpty(files);
        foreach (string file in files) Assert.NotNull(TrainingRecipe.Load(file).Model);
    }

    private static string Samples([System.Runtime.CompilerServices.CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../../samples/Recipes");

    private static TrainingRecipe Parse(string text) => TrainingRecipe.From(RecipeFile.Parse(text, "r.yaml", TrainingRecipe.Section));
}
